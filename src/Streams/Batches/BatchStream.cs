using System.Threading.Channels;
using Akka.Streams;
using Akka.Streams.Dsl;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Batches;

/// <summary>
/// A running text path and the bounded queue that it ends in. The trainer's own thread reads <see cref="Reader"/>; while
/// the queue is full, nothing more is read from the sources. Stopping or disposing ends reading at once.
/// </summary>
public sealed class BatchStream : IDisposable
{
    private readonly CancellationTokenSource _stop;
    private readonly PipelineStages _stages;

    private BatchStream(ChannelReader<TokenBatch> reader, Task completion, PipelineStages stages, CancellationTokenSource stop)
    {
        (Reader, Completion, _stages, _stop) = (reader, completion, stages, stop);
    }

    /// <summary>Starts a path. Parameters and errors are those of <see cref="TextPipeline.Batches"/>.</summary>
    /// <param name="options">Sources, sizes, workers, and the queue's capacity.</param>
    /// <param name="split">The side of the held-out split to yield.</param>
    /// <param name="materializer">
    /// Runs the graph. Should outlive this: one made from an actor's context ends the stream when that actor restarts.
    /// </param>
    /// <param name="cursor">Of the last batch that was used; null starts at the beginning.</param>
    /// <param name="tokenizer">The model that the options name, where it is loaded already.</param>
    /// <param name="stateFolder">Holds the files of <see cref="StateAt"/> that were written with the cursor; null where there were none.</param>
    public static BatchStream Start(
        PipelineOptions options, Split split, IMaterializer materializer, PipelineCursor? cursor = null, TextTokenizer? tokenizer = null,
        string? stateFolder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.QueueCapacity);
        var statistics = new PipelineStatistics();
        var stages = new PipelineStages(options, split, cursor, stateFolder, tokenizer, statistics);
        var queue = Channel.CreateBounded<TokenBatch>(new BoundedChannelOptions(options.QueueCapacity) { SingleWriter = true });
        statistics.ObserveQueue(() => queue.Reader.Count);
        var stop = new CancellationTokenSource();
        var completion = TextPipeline.Join(stages, split)
            .Via(new MeasureStalls<TokenBatch>([statistics.Mix], [statistics.Queue]))
            .RunWith(Sink.FromGraph(new BatchQueue(queue.Writer, stop.Token, statistics)), materializer);
        return new BatchStream(queue.Reader, completion, stages, stop);
    }

    /// <summary>
    /// The batches, in order. It completes after the last one, and after a stop. It fails with the path's own failure, for
    /// instance a <see cref="SourceException"/>, after the batches in the queue; text that was under way between the
    /// stages is not yielded then, but found again from the cursor of the last batch.
    /// </summary>
    public ChannelReader<TokenBatch> Reader { get; }

    /// <summary>Ends when the path has ended: after the last batch found room, after a stop, or with the path's failure.</summary>
    public Task Completion { get; }

    public PipelineStatistics Statistics => _stages.Statistics;

    /// <summary>Gives the memory of a used-up batch back, so that none is allocated in the long run. Optional; the batch must not be touched afterwards.</summary>
    public void Recycle(TokenBatch batch) => _stages.Arrays.Return(batch.Tokens);

    /// <summary>
    /// What belongs to a cursor of this stream and is too large for it, such as the duplicates found up to there: files to be
    /// written beside it, on any thread, while the stream runs on. Empty where there is none.
    /// </summary>
    public IReadOnlyList<PipelineState> StateAt(PipelineCursor cursor) => _stages.StateAt(cursor);

    /// <summary>Ends the path at once. Batches that are in the queue already can still be read.</summary>
    public void Stop() => _stop.Cancel();

    public void Dispose() => Stop();
}
