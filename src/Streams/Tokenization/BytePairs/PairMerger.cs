namespace Streaming.Streams.Tokenization.BytePairs;

/// <summary>
/// Joins the symbols of a short text by the merges of a model, the lowest rank and then the leftmost first, as SentencePiece
/// and the tokenizers library do. Scratch is reused; not thread-safe.
/// </summary>
internal sealed class PairMerger(MergeTable table)
{
    // Up to here looking through all pairs is cheaper than a queue; the way is quadratic above.
    private const int MostScanned = 40;

    private int[] _ids = new int[64];
    private int[] _ends = new int[64];
    private int[] _ranks = new int[64];  // scan: of the pair that begins here
    private int[] _merged = new int[64]; // scan: what that pair becomes
    private int[] _previous = [];        // queue: neighbours
    private int[] _next = [];
    private readonly PriorityQueue<(int At, int Left, int Right, int Merged), ulong> _queue = new();

    public int Count { get; private set; }

    /// <summary>Symbols; negative for a character that is none.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count);

    /// <summary>Where each symbol ends, in UTF-16 units.</summary>
    public ReadOnlySpan<int> Ends => _ends.AsSpan(0, Count);

    /// <summary>Called with each merge that becomes possible, in the order of the reference; null where nobody asks.</summary>
    public Action<int, int, int>? Seen { get; init; }

    public void Clear() => Count = 0;

    public void Add(int id, int end)
    {
        if (Count == _ids.Length)
        {
            Array.Resize(ref _ids, Count * 2);
            Array.Resize(ref _ends, Count * 2);
            Array.Resize(ref _ranks, Count * 2);
            Array.Resize(ref _merged, Count * 2);
        }
        (_ids[Count], _ends[Count]) = (id, end);
        Count++;
    }

    public void Merge()
    {
        if (Count <= MostScanned)
            MergeByScanning();
        else
            MergeByQueue();
    }

    private void MergeByScanning()
    {
        var (ids, ends, ranks, merged) = (_ids, _ends, _ranks, _merged);
        for (var i = 0; i + 1 < Count; i++)
            Rank(i);
        while (Count > 1)
        {
            var (best, at) = (int.MaxValue, -1);
            for (var i = 0; i + 1 < Count; i++)
            {
                if (ranks[i] < best)
                    (best, at) = (ranks[i], i);
            }
            if (at < 0)
                return;
            ids[at] = merged[at];
            ends[at] = ends[at + 1];
            for (var i = at + 1; i + 1 < Count; i++)
                (ids[i], ends[i], ranks[i], merged[i]) = (ids[i + 1], ends[i + 1], ranks[i + 1], merged[i + 1]);
            Count--;
            if (at > 0)
                Rank(at - 1);
            if (at + 1 < Count)
                Rank(at);
        }
    }

    private void Rank(int at)
    {
        if (table.TryFind(_ids[at], _ids[at + 1], out _ranks[at], out _merged[at]))
            Seen?.Invoke(_ids[at], _ids[at + 1], _merged[at]);
    }

    private void MergeByQueue()
    {
        if (_next.Length < Count)
            (_previous, _next) = (new int[_ids.Length], new int[_ids.Length]);
        var (ids, ends, previous, next) = (_ids, _ends, _previous, _next);
        for (var i = 0; i < Count; i++)
            (previous[i], next[i]) = (i - 1, i + 1 < Count ? i + 1 : -1);
        for (var i = 0; i + 1 < Count; i++)
            Enqueue(i, i + 1);
        while (_queue.TryDequeue(out var pair, out _))
        {
            var (at, right) = (pair.At, next[pair.At]);
            if (ids[at] != pair.Left || right < 0 || ids[right] != pair.Right)
                continue; // one of the two has gone into another merge
            ids[at] = pair.Merged;
            ends[at] = ends[right];
            ids[right] = int.MinValue; // belongs to no pair that is queued
            next[at] = next[right];
            if (next[at] >= 0)
                previous[next[at]] = at;
            if (previous[at] >= 0)
                Enqueue(previous[at], at);
            if (next[at] >= 0)
                Enqueue(at, next[at]);
        }
        var count = 0;
        for (var i = 0; i >= 0; i = next[i])
        {
            (ids[count], ends[count]) = (ids[i], ends[i]);
            count++;
        }
        Count = count;
    }

    private void Enqueue(int at, int right)
    {
        if (!table.TryFind(_ids[at], _ids[right], out var rank, out var merged))
            return;
        _queue.Enqueue((at, _ids[at], _ids[right], merged), ((ulong)(uint)rank << 32) | (uint)at);
        Seen?.Invoke(_ids[at], _ids[right], merged);
    }
}
