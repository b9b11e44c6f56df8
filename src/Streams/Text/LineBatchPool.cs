using System.Collections.Concurrent;

namespace Streaming.Streams.Text;

/// <summary>Keeps batches for reuse. Thread-safe. A batch that is never returned is merely collected.</summary>
internal sealed class LineBatchPool
{
    /// <summary>Characters, and bytes of the source, past which a batch is not kept; the longest part of a document is well below.</summary>
    private const int LongestKept = 3 << 20;

    private readonly ConcurrentBag<LineBatch> _batches = [];

    public LineBatch Rent() => _batches.TryTake(out var batch) ? batch : new LineBatch();

    public void Return(LineBatch batch)
    {
        if (batch.Lines.Length > LongestKept || batch.SourceBytes > LongestKept)
            return;
        batch.Clear();
        _batches.Add(batch);
    }
}
