using System.Diagnostics;
using Akka.Actor;
using Akka.Streams;
using Streaming.Streams;
using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Benchmarks;

/// <summary>What the text path alone can do: sources to token batches, with nobody training.</summary>
internal static class PipelineBenchmark
{
    private static readonly TimeSpan _warmUp = TimeSpan.FromSeconds(2);

    /// <param name="Statistics">Counts of every stage.</param>
    /// <param name="Elapsed">Wall time.</param>
    /// <param name="Tokens">Tokens in the batches.</param>
    /// <param name="AllocatedBytes">Managed memory allocated by the whole process, released or not.</param>
    /// <param name="PeakMemoryBytes">Largest resident memory of the process.</param>
    public sealed record Result(PipelineStatistics Statistics, TimeSpan Elapsed, long Tokens, long AllocatedBytes, long PeakMemoryBytes);

    /// <summary>Reads every source to its end, and over again until <paramref name="atLeast"/> has passed.</summary>
    public static async Task<Result> RunAsync(PipelineOptions options, TimeSpan atLeast)
    {
        options = options with { Epochs = options.Sources.Contains("-") ? 1 : 0 };
        var tokenizer = UnigramTokenizer.Load(options.Tokenizer);
        using var system = ActorSystem.Create("bench", "akka { loglevel = WARNING, stdout-loglevel = OFF }");
        var materializer = system.Materializer();
        if (options.Epochs == 0)
            await MeasureAsync(options, tokenizer, materializer, (_, elapsed) => elapsed >= _warmUp).ConfigureAwait(false);
        GC.Collect();
        var result = await MeasureAsync(options, tokenizer, materializer,
            (statistics, elapsed) => statistics.EpochsCompleted >= 1 && elapsed >= atLeast).ConfigureAwait(false);
        await system.Terminate().ConfigureAwait(false);
        return result;
    }

    private static async Task<Result> MeasureAsync(
        PipelineOptions options, UnigramTokenizer tokenizer, IMaterializer materializer, Func<PipelineStatistics, TimeSpan, bool> enough)
    {
        var allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        var clock = Stopwatch.StartNew();
        using var stream = BatchStream.Start(options, Split.Train, materializer, cursor: null, tokenizer);
        var tokens = 0L;
        while (!enough(stream.Statistics, clock.Elapsed) && await stream.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            while (stream.Reader.TryRead(out var batch))
            {
                tokens += (long)batch.Rows * batch.BlockSize;
                stream.Recycle(batch);
            }
        }
        clock.Stop();
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        using var process = Process.GetCurrentProcess();
        stream.Stop();
        await stream.Completion.ConfigureAwait(false);
        return new Result(stream.Statistics, clock.Elapsed, tokens, allocated, process.PeakWorkingSet64);
    }
}
