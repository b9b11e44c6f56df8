using System.Collections.Concurrent;

namespace Streaming.Streams.Text;

/// <summary>Keeps batches for reuse. Thread-safe. A batch that is never returned is merely collected.</summary>
internal sealed class LineBatchPool
{
    /// <summary>Characters past which a batch, grown by an uncommonly long line, is not kept.</summary>
    private const int LongestKept = 1 << 20;

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
