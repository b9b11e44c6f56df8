using System.Diagnostics;
using Akka.Streams;
using Streaming.Streams.Batches;
using Streaming.Streams.Mixing;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Measurement;

/// <summary>Measures the text path without a trainer: each stage alone on one thread, then the whole path as a trainer sees it, on one core and on more.</summary>
public static class PipelineBenchmark
{
    /// <summary>Runs all measurements, one after the other.</summary>
    /// <param name="options">What to measure; one epoch is read, and as many as it takes where <paramref name="longest"/> is given.</param>
    /// <param name="materializer">Runs the whole path.</param>
    /// <param name="cores">
    /// Processors that the whole path is given, a measurement each, with as many workers, or <see cref="PipelineOptions.Workers"/>
    /// where those are fewer.
    /// </param>
    /// <param name="longest">Text, in UTF-8 bytes, after which each measurement stops; null reads all of it once.</param>
    /// <param name="cancellation">Stops the measurement.</param>
    /// <exception cref="SourceException">A source cannot be read, or holds no batch.</exception>
    public static async Task<PipelineMeasurement> Run(
        PipelineOptions options, IMaterializer materializer, IReadOnlyList<int> cores, long? longest = null, CancellationToken cancellation = default)
    {
        // Standard input goes on where the measurement before left it.
        var again = longest is not null && !options.Sources.Any(source => source.Paths.Contains(SourceFile.StandardInput));
        options = options.WithEpochs(again ? 0 : 1) with { TokenCache = null };
        var tokenizer = TextTokenizer.Load(options.Tokenizer);
        var (text, warmUp) = (longest ?? long.MaxValue, Math.Min(longest ?? WarmUpBytes, WarmUpBytes));
        MeasureStages(options, tokenizer, warmUp, cancellation);
        await MeasureWhole(options, ProcessorCores.Available, tokenizer, materializer, warmUp, cancellation).ConfigureAwait(false);
        var stages = MeasureStages(options, tokenizer, text, cancellation);
        var whole = new List<PathMeasurement>();
        foreach (var count in cores)
            whole.Add(await MeasureWhole(options, count, tokenizer, materializer, text, cancellation).ConfigureAwait(false));
        return whole.Any(path => path.Tokens > 0)
            ? new PipelineMeasurement(stages, whole)
            : throw new SourceException("there is nothing to measure: the text fills no batch; name sources with more text, or take a smaller block or batch.");
    }

    /// <summary>Text that is run through before anything counts, so that the code is compiled.</summary>
    private const long WarmUpBytes = 4 << 20;

    private static StageMeasurement[] MeasureStages(PipelineOptions options, TextTokenizer tokenizer, long longest, CancellationToken cancellation)
    {
        var statistics = new PipelineStatistics();
        var stages = new PipelineStages(options, Split.Train, cursor: null, stateFolder: null, tokenizer, statistics);
        var batches = stages.CreateAssembler();
        for (var index = 0; index < stages.Sources.Count; index++)
            MeasureSource(stages, index, batches, longest, cancellation);
        cancellation.ThrowIfCancellationRequested();
        var (bytes, tokens) = (statistics.Read.Bytes, statistics.Tokenize.Tokens);
        return [.. statistics.Stages.Where(stage => stage.Busy > TimeSpan.Zero).Select(stage => new StageMeasurement(stage.Name, bytes, tokens, stage.Busy))];
    }

    private static void MeasureSource(PipelineStages stages, int index, BatchAssembler batches, long longest, CancellationToken cancellation)
    {
        var source = stages.Sources[index];
        LineWork[] works = [.. source.CreatePreparation(), source.CreateAdmission(), .. source.Encoding];
        var packer = source.CreatePacker();
        var readBefore = stages.Statistics.Read.Bytes;
        foreach (var batch in source.CreateReader().Read(cancellation))
        {
            foreach (var work in works)
                work.Run(batch);
            packer.Give(batch);
            while (packer.TryPack() is { } blocks)
            {
                for (var block = 0; block < blocks.Count; block++)
                {
                    batches.Add(index, blocks, block);
                    if (batches.IsFull)
                        stages.Arrays.Return(batches.Emit().Tokens);
                }
                stages.Blocks.Return(blocks);
            }
            if (stages.Statistics.Read.Bytes - readBefore >= longest)
                break;
        }
    }

    private static async Task<PathMeasurement> MeasureWhole(
        PipelineOptions options, int cores, TextTokenizer tokenizer, IMaterializer materializer, long longest, CancellationToken cancellation)
    {
        options = options with { Workers = Math.Min(options.Workers, cores) };
        GC.Collect();
        using var restricted = ProcessorCores.Restrict(cores);
        ResidentMemory.ForgetPeak();
        var (allocatedBefore, collectionsBefore) = (GC.GetTotalAllocatedBytes(precise: true), GC.CollectionCount(0));
        var (began, processorBefore) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        using var stream = BatchStream.Start(options, Split.Train, materializer, tokenizer: tokenizer);
        var (tokens, highestHeap, nextLook) = (0L, 0L, 0L);
        await foreach (var batch in stream.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
        {
            tokens += batch.Tokens.Length;
            stream.Recycle(batch);
            if (stream.Statistics.Read.Bytes >= nextLook)
            {
                highestHeap = Math.Max(highestHeap, GC.GetTotalMemory(forceFullCollection: false));
                nextLook += WarmUpBytes;
            }
            if (stream.Statistics.Read.Bytes >= longest)
                break;
        }
        var (elapsed, processor) = (Stopwatch.GetElapsedTime(began), Environment.CpuUsage.TotalTime - processorBefore);
        return new PathMeasurement(
            cores, options.Workers, stream.Statistics.Read.Bytes, stream.Statistics.Read.Lines, tokens, elapsed, processor,
            GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore, GC.CollectionCount(0) - collectionsBefore,
            highestHeap, ResidentMemory.Peak, stream.Statistics);
    }
}
