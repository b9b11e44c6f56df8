namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// Sorts the suffixes that begin with one character, as far as one character past the longest piece, and finds the repeated
/// substrings among them. Sorting compares four codes at a time, packed into a number; suffixes end with their run. Scratch
/// is reused; not thread-safe.
/// </summary>
/// <param name="runs">The text.</param>
/// <param name="longestPiece">Codes of the longest substring that is wanted.</param>
internal sealed class SuffixSorter(TextRuns runs, int longestPiece)
{
    private const int CodesAKey = 4;

    // Some suffixes that begin alike, from Start on.
    private record struct Group(int Start, long FrequencyBefore, int Depth);

    private readonly Stack<Group> _open = new();
    private ulong[] _keys = [];

    /// <summary>Adds the substrings that begin with the suffixes' common first code.</summary>
    /// <param name="suffixes">Place in the text, and above it, from bit 32, how often its run occurs. Sorted afterwards.</param>
    /// <param name="best">Receives them.</param>
    /// <param name="firstCode">The code; substrings of earlier codes go first among equals.</param>
    public void Visit(Span<ulong> suffixes, BestSubstrings best, int firstCode)
    {
        if (_keys.Length < suffixes.Length)
            _keys = new ulong[Math.Max(suffixes.Length, _keys.Length * 2)];
        Sort(suffixes, _keys.AsSpan(0, suffixes.Length), depth: 1);
        var count = MergeEqual(suffixes);
        Collect(suffixes[..count], best, (ulong)firstCode << 32);
    }

    private void Sort(Span<ulong> suffixes, Span<ulong> keys, int depth)
    {
        for (var i = 0; i < suffixes.Length; i++)
            keys[i] = Key((int)(uint)suffixes[i] + depth);
        keys.Sort(suffixes);
        if (depth + CodesAKey > longestPiece)
            return;
        for (var start = 0; start < keys.Length;)
        {
            var key = keys[start];
            var end = start + 1;
            while (end < keys.Length && keys[end] == key)
                end++;
            if (end - start > 1 && (key & 0xFFFF) != Alphabet.None)
                Sort(suffixes[start..end], keys[start..end], depth + CodesAKey);
            start = end;
        }
    }

    // The codes from a place on, the first one highest; zeros from the end of the run on.
    private ulong Key(int place)
    {
        var text = runs.Text;
        var key = 0UL;
        for (var i = 0; i < CodesAKey; i++)
        {
            var code = text[place + i];
            if (code == Alphabet.None)
                return key << (16 * (CodesAKey - i));
            key = (key << 16) | code;
        }
        return key;
    }

    // Suffixes that end alike, so are one text, become one with the sum of their counts. Counts are below 2^31 together.
    private int MergeEqual(Span<ulong> suffixes)
    {
        var count = 0;
        foreach (var suffix in suffixes)
        {
            if (count > 0 && IsSameToItsEnd((int)(uint)suffixes[count - 1], (int)(uint)suffix))
                suffixes[count - 1] += suffix >> 32 << 32;
            else
                suffixes[count++] = suffix;
        }
        return count;
    }

    private bool IsSameToItsEnd(int one, int other)
    {
        var common = CommonLength(one, other);
        return common <= longestPiece && runs.Text[one + common] == Alphabet.None && runs.Text[other + common] == Alphabet.None;
    }

    // Walks the tree of common beginnings without building it: a group closes where a suffix shares less with the one before.
    private void Collect(ReadOnlySpan<ulong> suffixes, BestSubstrings best, ulong order)
    {
        var frequency = 0L; // of the suffixes so far
        var commonBefore = 0;
        for (var i = 0; i < suffixes.Length; i++)
        {
            var place = (int)(uint)suffixes[i];
            var own = (long)(suffixes[i] >> 32);
            var common = i + 1 < suffixes.Length ? CommonLength(place, (int)(uint)suffixes[i + 1]) : 0;
            var length = LengthFrom(place);
            if (length > Math.Max(common, commonBefore) && length <= longestPiece)
                Add(new Substring(place, length, own), best, ref order); // the end of a run, and of nothing longer
            if (common > (_open.TryPeek(out var top) ? top.Depth : 0))
                _open.Push(new Group(i, frequency, common));
            frequency += own;
            var frequencyBefore = frequency;
            while (_open.TryPeek(out top) && top.Depth > common)
            {
                _open.Pop();
                frequencyBefore = top.FrequencyBefore;
                if (top.Depth <= longestPiece)
                    Add(new Substring(place, top.Depth, frequency - frequencyBefore), best, ref order);
                if (common > 0 && (!_open.TryPeek(out var outer) || outer.Depth < common))
                    _open.Push(new Group(top.Start, frequencyBefore, common));
            }
            commonBefore = common;
        }
    }

    private static void Add(Substring found, BestSubstrings best, ref ulong order)
    {
        if (found.Length >= 2 && found.Frequency >= 2)
            best.Add(found, order++);
    }

    // Codes that two suffixes share, up to one past the longest piece.
    private int CommonLength(int one, int other)
    {
        var text = runs.Text;
        var common = 1;
        while (common <= longestPiece && text[one + common] == text[other + common] && text[one + common] != Alphabet.None)
            common++;
        return common;
    }

    // Codes up to the end of the run, or one more than the longest piece.
    private int LengthFrom(int place)
    {
        var text = runs.Text;
        var length = 1;
        while (length <= longestPiece && text[place + length] != Alphabet.None)
            length++;
        return length;
    }
}
