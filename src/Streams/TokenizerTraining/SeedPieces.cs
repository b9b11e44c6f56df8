using System.Runtime.InteropServices;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>A substring of the text.</summary>
/// <param name="Start">Where it stands once, in <see cref="TextRuns.Text"/>.</param>
/// <param name="Length">Codes.</param>
/// <param name="Frequency">How often it occurs.</param>
internal readonly record struct Substring(int Start, int Length, long Frequency)
{
    /// <summary>Characters of the text that it covers.</summary>
    public long Score => Frequency * Length;
}

/// <summary>
/// The pieces that training starts from: of the substrings of two characters and more that occur at least twice and that no
/// single character always follows, those that cover most text. These are the inner nodes of the text's suffix tree
/// (Kudo 2018, section 3.2), cut at the longest piece. Found one first character at a time, so that the memory does not
/// grow with the text: see <see cref="SuffixSorter"/>.
/// </summary>
internal static class SeedPieces
{
    // Suffixes that are gathered in one walk over the text, 8 bytes each.
    private const int SuffixesAtOnce = 1 << 25;

    /// <summary>The best substrings, best first; of equals the one earlier in the order of the codes.</summary>
    public static Substring[] Find(TextRuns runs, int longestPiece, int wanted, int workers, CancellationToken stop)
    {
        var firstCounts = CountFirstCodes(runs);
        var best = new List<BestSubstrings>();
        for (var first = 1; first < firstCounts.Length;)
        {
            var end = first;
            var total = 0L;
            while (end < firstCounts.Length && (end == first || total + firstCounts[end] <= SuffixesAtOnce))
                total += firstCounts[end++];
            best = [Merge(best.Concat(FindIn(runs, first, firstCounts.AsSpan(first, end - first), longestPiece, wanted, workers, stop)), wanted)];
            first = end;
        }
        return best.Count == 0 ? [] : best[0].Take();
    }

    private static List<BestSubstrings> FindIn(
        TextRuns runs, int firstCode, ReadOnlySpan<int> counts, int longestPiece, int wanted, int workers, CancellationToken stop)
    {
        var starts = new int[counts.Length + 1];
        for (var i = 0; i < counts.Length; i++)
            starts[i + 1] = starts[i] + counts[i];
        var suffixes = Gather(runs, firstCode, starts);
        var largestFirst = Enumerable.Range(0, counts.Length).ToArray();
        Array.Sort(largestFirst, (one, other) => (starts[other + 1] - starts[other]).CompareTo(starts[one + 1] - starts[one]));
        var found = new List<BestSubstrings>();
        Parallel.ForEach(
            System.Collections.Concurrent.Partitioner.Create(largestFirst, System.Collections.Concurrent.EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = stop },
            () => (Sorter: new SuffixSorter(runs, longestPiece), Best: new BestSubstrings(wanted)),
            (bucket, _, local) =>
            {
                local.Sorter.Visit(suffixes.AsSpan(starts[bucket], starts[bucket + 1] - starts[bucket]), local.Best, firstCode + bucket);
                return local;
            },
            local =>
            {
                lock (found)
                    found.Add(local.Best);
            });
        return found;
    }

    // Every place of the text, its run above it, by the first code.
    private static ulong[] Gather(TextRuns runs, int firstCode, int[] starts)
    {
        var suffixes = new ulong[starts[^1]];
        var next = starts.AsSpan(0, starts.Length - 1).ToArray();
        var text = runs.Text;
        for (var run = 0; run < runs.Count; run++)
        {
            for (var place = runs.StartOf(run); text[place] != Alphabet.None; place++)
            {
                var bucket = text[place] - firstCode;
                if ((uint)bucket < (uint)next.Length)
                    suffixes[next[bucket]++] = ((ulong)run << 32) | (uint)place;
            }
        }
        return suffixes;
    }

    private static int[] CountFirstCodes(TextRuns runs)
    {
        var counts = new int[runs.Alphabet.Count + 1];
        foreach (var code in runs.Text)
            counts[code]++;
        counts[Alphabet.None] = 0;
        return counts;
    }

    private static BestSubstrings Merge(IEnumerable<BestSubstrings> parts, int wanted)
    {
        var all = new BestSubstrings(wanted);
        foreach (var part in parts)
            all.Add(part);
        return all;
    }
}

/// <summary>The substrings with the highest scores of all that were added, whatever the order of adding. Not thread-safe.</summary>
/// <param name="capacity">How many stay.</param>
internal sealed class BestSubstrings(int capacity)
{
    private readonly record struct Candidate(Substring Found, ulong Order) : IComparable<Candidate>
    {
        public int CompareTo(Candidate other) =>
            Found.Score != other.Found.Score ? other.Found.Score.CompareTo(Found.Score) : Order.CompareTo(other.Order);
    }

    private readonly List<Candidate> _candidates = [];
    private long _least; // score below which nothing can stay

    /// <param name="found">The substring.</param>
    /// <param name="order">Which of equals is first; different for each.</param>
    public void Add(Substring found, ulong order)
    {
        if (found.Score < _least)
            return;
        _candidates.Add(new Candidate(found, order));
        if (_candidates.Count >= 3L * capacity + 1024)
            Shrink();
    }

    public void Add(BestSubstrings other)
    {
        foreach (var (found, order) in other._candidates)
            Add(found, order);
    }

    /// <summary>The best ones, best first.</summary>
    public Substring[] Take()
    {
        Shrink();
        return [.. _candidates.Select(candidate => candidate.Found)];
    }

    private void Shrink()
    {
        CollectionsMarshal.AsSpan(_candidates).Sort();
        if (_candidates.Count <= capacity)
            return;
        CollectionsMarshal.SetCount(_candidates, capacity);
        if (capacity > 0)
            _least = _candidates[^1].Found.Score;
    }
}
