using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// Rewriting rules as <c>spm_train</c> compiles them: a darts-clone double array over the UTF-8 of what is replaced, and the
/// replacements, each ended by NUL. Layout: trie size in bytes (uint32), trie units (uint32 each), replacements.
/// Immutable. Errors: <see cref="FormatException"/> where the sizes do not fit.
/// </summary>
internal sealed class CharacterRules
{
    private const uint HasValue = 0x100;

    private readonly uint[] _units;
    private readonly char[] _replacements; // NUL-separated
    private readonly int[] _replacementAt; // byte offset in the file → index in _replacements

    public CharacterRules(ReadOnlySpan<byte> compiled)
    {
        if (compiled.Length <= sizeof(uint))
            throw new FormatException("its normalization rules are too short");
        var trieSize = BinaryPrimitives.ReadUInt32LittleEndian(compiled);
        var rest = compiled[sizeof(uint)..];
        if (trieSize > (uint)rest.Length)
            throw new FormatException($"its normalization rules claim a trie of {trieSize} bytes where {rest.Length} are there");
        _units = new uint[trieSize / sizeof(uint)];
        rest[..(_units.Length * sizeof(uint))].CopyTo(MemoryMarshal.AsBytes(_units.AsSpan()));
        if (!BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(_units, _units);
        (_replacements, _replacementAt) = DecodeReplacements(rest[(int)trieSize..]);
    }

    /// <summary>Where a walk through the rules begins; negative where there is no rule at all.</summary>
    public int Root => _units.Length == 0 ? -1 : (int)Offset(_units[0]);

    /// <summary>
    /// Follows the UTF-8 of one character from a state; negative where no rule goes on so.
    /// <paramref name="rule"/> is the rule that ends with this character, or negative.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Step(int state, Rune character, out int rule)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var length = character.EncodeToUtf8(utf8);
        rule = -1;
        var position = (uint)state;
        var last = 0u;
        foreach (var label in utf8[..length])
        {
            last = position ^ label;
            if (!Follow(position, label, out position))
                return -1;
        }
        if ((_units[last] & HasValue) != 0 && position < (uint)_units.Length)
            rule = (int)(_units[position] & 0x7FFF_FFFF);
        return (int)position;
    }

    /// <summary>False where no rule goes on from a state with this UTF-16 unit; true where one may: a cheap question first.</summary>
    public bool MayStep(int state, char unit)
    {
        if (unit < 0x80)
            return Follow((uint)state, unit, out _);
        if (char.IsSurrogate(unit))
            return true;
        var lead = unit < 0x800 ? 0xC0 | (unit >> 6) : 0xE0 | (unit >> 12);
        var second = 0x80 | ((unit < 0x800 ? unit : unit >> 6) & 0x3F);
        return Follow((uint)state, (uint)lead, out var next) && Follow(next, (uint)second, out _);
    }

    /// <summary>What a rule puts in place.</summary>
    public ReadOnlySpan<char> Replacement(int rule)
    {
        if ((uint)rule >= (uint)_replacementAt.Length)
            return [];
        var text = _replacements.AsSpan(_replacementAt[rule]);
        var end = text.IndexOf('\0');
        return end < 0 ? text : text[..end];
    }

    // A unit carries its label in the low byte; bit 31 marks a value.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Follow(uint state, uint label, out uint next)
    {
        next = state ^ label;
        if (next >= (uint)_units.Length)
            return false;
        var unit = _units[next];
        next ^= Offset(unit);
        return (unit & 0x8000_00FF) == label;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (char[] Text, int[] At) DecodeReplacements(ReadOnlySpan<byte> utf8)
    {
        var text = new char[utf8.Length];
        var at = new int[utf8.Length];
        var written = 0;
        for (var i = 0; i < utf8.Length;)
        {
            Rune.DecodeFromUtf8(utf8[i..], out var character, out var consumed);
            at.AsSpan(i, consumed).Fill(written);
            written += character.EncodeToUtf16(text.AsSpan(written));
            i += consumed;
        }
        return (text[..written], at);
    }
}
