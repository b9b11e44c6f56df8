using System.Diagnostics;
using System.Text;
using Akka;
using Akka.Streams.Dsl;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Text;

/// <summary>Work that turns a batch of lines into its next form, counted.</summary>
/// <param name="work">Thread-safe for distinct batches.</param>
/// <param name="statistics">Counts the work.</param>
internal sealed class LineWork(Action<LineBatch> work, StageStatistics statistics)
{
    /// <summary>Works on several batches at once, on the thread pool, and keeps their order.</summary>
    public Flow<LineBatch, LineBatch, NotUsed> Flow(int workers) =>
        Akka.Streams.Dsl.Flow.Create<LineBatch>().SelectAsync(workers, batch => Task.Run(() => Run(batch)));

    public LineBatch Run(LineBatch batch)
    {
        var began = Stopwatch.GetTimestamp();
        var waited = Stopwatch.GetElapsedTime(batch.HandedOver, began);
        var bytes = Encoding.UTF8.GetByteCount(batch.Lines.Characters);
        var lines = batch.Lines.Count;
        work(batch);
        batch.HandedOver = Stopwatch.GetTimestamp();
        statistics.Add(bytes, lines, Stopwatch.GetElapsedTime(began, batch.HandedOver), waited, batch.Tokens.Count);
        return batch;
    }
}
