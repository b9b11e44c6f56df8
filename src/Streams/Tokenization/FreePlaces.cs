using System.Numerics;
using System.Runtime.CompilerServices;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// The places of a growing array that nothing lies in yet. Each taken place points towards the next free one, and walks
/// shorten the way, so the next free place is found in almost constant time. Place 0 is the trie's root and never free.
/// </summary>
internal sealed class FreePlaces(int size)
{
    // More tries pack the array a little denser and take longer.
    private const int PlacesTried = 512;

    // Where the last family of about this size found its place: what lies before is too crowded for the next.
    private readonly int[] _from = new int[32];

    // _forward[p] is p where p is free, else a place not behind the next free one; beyond the array all is free.
    private int[] _forward = Enumerable.Range(0, size).ToArray();

    /// <summary>One past the last place taken.</summary>
    public int End { get; private set; } = 1;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Take(int place)
    {
        if (place >= _forward.Length)
            Grow(place + 1);
        _forward[place] = place + 1;
        End = Math.Max(End, place + 1);
    }

    /// <summary>A base of at least 1 at which the places of all <paramref name="codes"/> are free.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int FindBase(ReadOnlySpan<int> codes)
    {
        var first = int.MaxValue;
        foreach (var code in codes)
            first = Math.Min(first, code);
        ref var from = ref _from[BitOperations.Log2((uint)codes.Length)];
        var place = NextFree(Math.Max(from, first + 1));
        for (var tried = 0; place < End && tried < PlacesTried && !AreFree(place - first, codes); tried++)
            place = NextFree(place + 1);
        if (place < End && !AreFree(place - first, codes))
            place = Math.Max(End, first + 1);
        from = place;
        return place - first;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool AreFree(int start, ReadOnlySpan<int> codes)
    {
        foreach (var code in codes)
        {
            if (start + code < End && _forward[start + code] != start + code)
                return false;
        }
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int NextFree(int place)
    {
        while (place < End && _forward[place] != place)
        {
            var next = _forward[place];
            if (next < End)
                _forward[place] = _forward[next]; // halves the way for the next walk
            place = next;
        }
        return place;
    }

    private void Grow(int size)
    {
        var old = _forward.Length;
        Array.Resize(ref _forward, Math.Max(size, old * 2));
        for (var place = old; place < _forward.Length; place++)
            _forward[place] = place;
    }
}
