using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// Measures how much a document repeats itself, after Gopher's repetition filters (Rae et al. 2021, table A1) on characters:
/// the share of the most frequent four characters, and the share of characters in runs of eight that were there before.
/// Both are counted in windows of 2,048 characters, so that a long text, in which every phrase returns in the end, is judged
/// like a short one. The tables are hashed without chains: a count may be too high by a few, a return may go unseen where
/// another run took its place (one in four at most). Not thread-safe; allocates nothing.
/// </summary>
internal sealed class RepetitionMeter
{
    public const int TopLength = 4;
    public const int DuplicateLength = 8;
    public const int WindowCharacters = 2048;

    private const int Places = 1 << 13;

    private readonly ushort[] _counts = new ushort[Places];
    private readonly ushort[] _tags = new ushort[Places];
    private int _inWindow, _highest;
    private long _characters, _top, _duplicate;

    /// <summary>Four characters' largest share, averaged over the windows.</summary>
    public double TopShare => _characters == 0 ? 0 : (double)(_top + _highest) / _characters;

    /// <summary>Share of the characters that lie in a run of eight that stood earlier in the window.</summary>
    public double DuplicateShare => _characters == 0 ? 0 : (double)_duplicate / _characters;

    public void Clear()
    {
        StartWindow();
        (_highest, _characters, _top, _duplicate) = (0, 0, 0, 0);
    }

    /// <summary>Adds a line; runs do not go from one line into the next.</summary>
    public void Add(ReadOnlySpan<char> line)
    {
        while (!line.IsEmpty)
        {
            if (_inWindow == WindowCharacters)
                StartWindow();
            var part = line[..Math.Min(line.Length, WindowCharacters - _inWindow)];
            _inWindow += part.Length;
            _characters += part.Length;
            Count(part);
            line = line[part.Length..];
        }
    }

    private void StartWindow()
    {
        _top += _highest;
        (_inWindow, _highest) = (0, 0);
        _counts.AsSpan().Clear();
        _tags.AsSpan().Clear();
    }

    private void Count(ReadOnlySpan<char> part)
    {
        ref var text = ref Unsafe.As<char, byte>(ref MemoryMarshal.GetReference(part));
        ref var counts = ref MemoryMarshal.GetArrayDataReference(_counts);
        ref var tags = ref MemoryMarshal.GetArrayDataReference(_tags);
        var highest = _highest;
        var covered = 0;
        var duplicate = 0;
        var index = 0;
        for (; index + DuplicateLength <= part.Length; index++)
        {
            var first = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref text, (nint)index * sizeof(char)));
            var second = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref text, (nint)(index + TopLength) * sizeof(char)));
            ref var count = ref Unsafe.Add(ref counts, (nint)(Scatter(first) >> 51));
            highest = Math.Max(highest, ++count);
            var mixed = Scatter(first ^ ulong.RotateLeft(second, 23) * 0xC2B2AE3D27D4EB4F);
            ref var seen = ref Unsafe.Add(ref tags, (nint)(mixed >> 51));
            var tag = (ushort)(mixed >> 32 | 1);
            if (seen == tag)
            {
                duplicate += index + DuplicateLength - Math.Max(covered, index);
                covered = index + DuplicateLength;
            }
            seen = tag;
        }
        for (; index + TopLength <= part.Length; index++)
        {
            var four = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref text, (nint)index * sizeof(char)));
            highest = Math.Max(highest, ++Unsafe.Add(ref counts, (nint)(Scatter(four) >> 51)));
        }
        _highest = highest;
        _duplicate += duplicate;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Scatter(ulong value) => value * 0x9E3779B97F4A7C15;
}
