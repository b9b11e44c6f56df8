using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// A set of fingerprints: open addressing with linear probing, at most three quarters full, a look-up one or two cache lines.
/// A fingerprint's home follows from its high bits, so the set lies almost sorted and grows by one pass over it. Removing
/// moves what follows up, so nothing is left behind. 0 is an empty place and no fingerprint. Not thread-safe.
/// </summary>
/// <param name="capacity">Fingerprints at most.</param>
internal sealed unsafe class FingerprintTable(long capacity) : IDisposable
{
    private const long LeastPlaces = 1 << 10;

    private readonly long _mostPlaces = PlacesFor(capacity);
    private NativeWords _words = new(Math.Min(LeastPlaces, PlacesFor(capacity)));

    public long Count { get; private set; }

    /// <summary>Places, filled or not, that so many fingerprints take in the end.</summary>
    public static long PlacesFor(long capacity) => Math.Max(16, capacity + capacity / 3 + 1);

    /// <summary>Bytes of the places that there are now.</summary>
    public long Bytes => _words.Length * sizeof(ulong);

    public bool Contains(ulong fingerprint)
    {
        var found = *Find(fingerprint) != 0;
        GC.KeepAlive(_words);
        return found;
    }

    /// <summary>False where it is there already.</summary>
    public bool Add(ulong fingerprint)
    {
        var place = Find(fingerprint);
        if (*place != 0)
            return false;
        if (Count + 1 > _words.Length / 4 * 3 && _words.Length < _mostPlaces)
        {
            Grow();
            place = Find(fingerprint);
        }
        *place = fingerprint;
        Count++;
        GC.KeepAlive(_words);
        return true;
    }

    /// <summary>Removes a fingerprint that is there, or does nothing.</summary>
    public void Remove(ulong fingerprint)
    {
        var start = _words.Start;
        var length = _words.Length;
        var hole = Find(fingerprint) - start;
        if (start[hole] == 0)
            return;
        Count--;
        // Whatever follows moves into the hole unless its home lies after the hole.
        for (var next = hole + 1; ; next++)
        {
            if (next == length)
                next = 0;
            var candidate = start[next];
            if (candidate == 0)
                break;
            var home = Home(candidate, length);
            var isBetween = hole <= next ? hole < home && home <= next : hole < home || home <= next;
            if (isBetween)
                continue;
            start[hole] = candidate;
            hole = next;
        }
        start[hole] = 0;
        GC.KeepAlive(_words);
    }

    /// <summary>Has the place of a fingerprint fetched that will be looked up soon.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(ulong fingerprint)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(_words.Start + Home(fingerprint, _words.Length));
        GC.KeepAlive(_words);
    }

    /// <summary>Empties the set and gives its memory back.</summary>
    public void Clear()
    {
        _words.Dispose();
        _words = new NativeWords(Math.Min(LeastPlaces, _mostPlaces));
        Count = 0;
    }

    public void Dispose() => _words.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Home(ulong fingerprint, long places) => (long)Math.BigMul(fingerprint, (ulong)places, out _);

    /// <summary>Where the fingerprint is, or the empty place where it would be.</summary>
    private ulong* Find(ulong fingerprint)
    {
        var start = _words.Start;
        var end = start + _words.Length;
        var place = start + Home(fingerprint, _words.Length);
        while (*place != 0 && *place != fingerprint)
        {
            if (++place == end)
                place = start;
        }
        return place;
    }

    private void Grow()
    {
        using var old = _words;
        _words = new NativeWords(Math.Min(old.Length * 2, _mostPlaces), isScattered: true);
        for (var place = 0L; place < old.Length; place++)
        {
            if (old.Start[place] is var fingerprint and not 0)
                *Find(fingerprint) = fingerprint;
        }
    }
}
