using System.Diagnostics;
using Akka;
using Akka.Streams.Dsl;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Text;

/// <summary>Work that turns a batch of lines into its next form, counted.</summary>
/// <param name="work">Thread-safe for distinct batches where it is done in parallel.</param>
/// <param name="statistics">Counts the work.</param>
internal sealed class LineWork(Action<LineBatch> work, StageStatistics statistics)
{
    /// <summary>Works on several batches at once, on the thread pool, and keeps their order. Each batch goes through all the work on one thread.</summary>
    public static Flow<LineBatch, LineBatch, NotUsed> Flow(int workers, IReadOnlyList<LineWork> works) =>
        Akka.Streams.Dsl.Flow.Create<LineBatch>().SelectAsync(workers, batch => Task.Run(() =>
        {
            foreach (var work in works)
                work.Run(batch);
            return batch;
        }));

    public LineBatch Run(LineBatch batch)
    {
        var began = Stopwatch.GetTimestamp();
        var waited = Stopwatch.GetElapsedTime(batch.HandedOver, began);
        var lines = batch.Lines.Count;
        work(batch);
        batch.HandedOver = Stopwatch.GetTimestamp();
        statistics.Add(batch.SourceBytes, lines, Stopwatch.GetElapsedTime(began, batch.HandedOver), waited, batch.Tokens.Count);
        return batch;
    }
}
