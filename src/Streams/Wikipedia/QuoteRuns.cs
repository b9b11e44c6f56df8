namespace Streaming.Streams.Wikipedia;

/// <summary>
/// The runs of apostrophes of a line, which switch italics (2), bold (3) or both (5). Where both come out odd, one bold run
/// is an apostrophe and italics: L'''amour'' reads L'amour. Which one it is follows MediaWiki's rule.
/// </summary>
internal sealed class QuoteRuns
{
    private (int Place, int Run)[] _runs = new (int, int)[16];
    private int _count;

    /// <summary>Adds a run.</summary>
    /// <param name="place">Bytes of the line's text before it.</param>
    /// <param name="run">2, 3 or 5.</param>
    public void Add(int place, int run)
    {
        if (_count == _runs.Length)
            Array.Resize(ref _runs, _count * 2);
        _runs[_count++] = (place, run);
    }

    public void Clear() => _count = 0;

    /// <summary>Where an apostrophe is to be put into the line; -1 for nowhere.</summary>
    public int FindApostrophe(ReadOnlySpan<byte> line)
    {
        var (bold, italic) = (0, 0);
        foreach (var (_, run) in _runs.AsSpan(0, _count))
        {
            bold += run >= 3 ? 1 : 0;
            italic += run != 3 ? 1 : 0;
        }
        if (bold % 2 == 0 || italic % 2 == 0)
            return -1;
        // First one after a single letter, then one after a longer word, then one after a blank.
        var (afterWord, afterSpace) = (-1, -1);
        foreach (var (place, run) in _runs.AsSpan(0, _count))
        {
            if (run != 3)
                continue;
            var last = place > 0 ? line[place - 1] : (byte)0;
            var before = place > 1 ? line[place - 2] : last;
            if (last == (byte)' ')
                afterSpace = afterSpace < 0 ? place : afterSpace;
            else if (before == (byte)' ')
                return place;
            else
                afterWord = afterWord < 0 ? place : afterWord;
        }
        return afterWord >= 0 ? afterWord : afterSpace;
    }
}
