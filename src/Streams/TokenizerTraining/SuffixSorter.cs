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

    // Suffixes that share so many codes, and how often those before them occur.
    private record struct Group(long FrequencyBefore, int Depth);

    private readonly Stack<Group> _open = new();
    private ulong[] _keys = [];

    /// <summary>Adds the substrings that begin with the suffixes' common first code.</summary>
    /// <param name="suffixes">Place in the text, and above it, from bit 32, its run. Sorted afterwards.</param>
    /// <param name="best">Receives them.</param>
    /// <param name="firstCode">The code; substrings of earlier codes go first among equals.</param>
    public void Visit(Span<ulong> suffixes, BestSubstrings best, int firstCode)
    {
        if (_keys.Length < suffixes.Length)
            _keys = new ulong[Math.Max(suffixes.Length, _keys.Length * 2)];
        Sort(suffixes, _keys.AsSpan(0, suffixes.Length), depth: 1);
        Collect(suffixes, best, (ulong)firstCode << 32);
    }

    private void Sort(Span<ulong> suffixes, Span<ulong> keys, int depth)
    {
        for (var i = 0; i < suffixes.Length; i++)
            keys[i] = Key(PlaceOf(suffixes[i]) + depth);
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

    // Walks the tree of common beginnings without building it: a group closes where a suffix shares less with the one before.
    private void Collect(ReadOnlySpan<ulong> suffixes, BestSubstrings best, ulong order)
    {
        var frequency = 0L; // of the suffixes so far
        var commonBefore = 0;
        for (var i = 0; i < suffixes.Length;)
        {
            var place = PlaceOf(suffixes[i]);
            var length = LengthFrom(place);
            var (own, common) = TakeEqual(suffixes, ref i, length, out var follower);
            if (length > Math.Max(common, commonBefore) && length <= longestPiece && follower == TextRuns.Various)
                Add(new Substring(place, length, own), best, ref order); // nothing longer begins with it, but it ends runs
            if (common > (_open.TryPeek(out var top) ? top.Depth : 0))
                _open.Push(new Group(frequency, common));
            frequency += own;
            while (_open.TryPeek(out top) && top.Depth > common)
            {
                _open.Pop();
                if (top.Depth <= longestPiece)
                    Add(new Substring(place, top.Depth, frequency - top.FrequencyBefore), best, ref order);
                if (common > 0 && (!_open.TryPeek(out var outer) || outer.Depth < common))
                    _open.Push(new Group(top.FrequencyBefore, common));
            }
            commonBefore = common;
        }
    }

    // Takes a suffix and those that are the same text up to the ends of their runs: how often they occur, what follows them,
    // and how many codes the next suffix shares.
    private (long Frequency, int CommonWithNext) TakeEqual(ReadOnlySpan<ulong> suffixes, ref int next, int length, out int follower)
    {
        var place = PlaceOf(suffixes[next]);
        follower = runs.FollowerOf(RunOf(suffixes[next]));
        var frequency = 0L;
        while (true)
        {
            var run = RunOf(suffixes[next++]);
            frequency += runs.CountOf(run);
            if (runs.FollowerOf(run) != follower)
                follower = TextRuns.Various;
            var common = next < suffixes.Length ? CommonLength(place, PlaceOf(suffixes[next])) : 0;
            if (common < length || length > longestPiece || LengthFrom(PlaceOf(suffixes[next])) > length)
                return (frequency, common);
        }
    }

    private static int PlaceOf(ulong suffix) => (int)(uint)suffix;

    private static int RunOf(ulong suffix) => (int)(suffix >> 32);

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
