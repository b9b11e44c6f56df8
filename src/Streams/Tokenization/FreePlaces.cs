namespace Streaming.Streams.Tokenization;

/// <summary>
/// The places of a growing array that nothing lies in yet, linked in order. Place 0 is the trie's root: it heads the list
/// and is never free; the place after the last is the list's end.
/// </summary>
internal sealed class FreePlaces
{
    // More tries pack the array a little denser and make a hostile vocabulary slower to refuse.
    private const int PlacesTried = 64;
    private const int PlacesPassed = 4096;

    private int[] _next;
    private int[] _previous;
    private bool[] _taken;

    public FreePlaces(int size)
    {
        _next = new int[2];
        _previous = new int[2];
        _taken = new bool[2];
        _next[0] = 1;
        _taken[0] = true;
        Grow(size);
    }

    private int Size => _taken.Length - 1;

    /// <summary>One past the last place taken.</summary>
    public int End { get; private set; } = 1;

    public void Take(int place)
    {
        Grow(place + 1);
        _taken[place] = true;
        _next[_previous[place]] = _next[place];
        _previous[_next[place]] = _previous[place];
        End = Math.Max(End, place + 1);
    }

    /// <summary>A base of at least 1 at which the places of all <paramref name="codes"/> are free.</summary>
    public int FindBase(List<int> codes)
    {
        var first = codes.Min();
        var (tried, passed) = (0, 0);
        for (var place = _next[0]; place < End && tried < PlacesTried && passed < PlacesPassed; place = _next[place])
        {
            if (place <= first)
            {
                passed++;
                continue;
            }
            tried++;
            if (AreFree(place - first, codes))
                return place - first;
        }
        return Math.Max(1, End - first);
    }

    private bool AreFree(int start, List<int> codes)
    {
        foreach (var code in codes)
        {
            if (start + code < End && _taken[start + code])
                return false;
        }
        return true;
    }

    private void Grow(int size)
    {
        var end = Size;
        if (size <= end)
            return;
        size = Math.Max(size, end * 2);
        Array.Resize(ref _next, size + 1);
        Array.Resize(ref _previous, size + 1);
        Array.Resize(ref _taken, size + 1);
        for (var place = end; place < size; place++)
        {
            _next[place] = place + 1;
            _previous[place + 1] = place;
        }
    }
}
