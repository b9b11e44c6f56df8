using Akka.Actor;
using Akka.Streams;
using Akka.Streams.Dsl;
using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Tests;

/// <summary>An actor system for the tests of a class.</summary>
public sealed class StreamFixture : IAsyncDisposable
{
    private readonly ActorSystem _system = ActorSystem.Create("streams-tests", "akka.loglevel = WARNING");

    public StreamFixture() => Materializer = _system.Materializer();

    public IMaterializer Materializer { get; }

    /// <summary>The first batches of a path, all of them if there are fewer.</summary>
    internal async Task<IReadOnlyList<TokenBatch>> Take(
        PipelineOptions options, Split split = Split.Train, PipelineCursor? cursor = null, int count = int.MaxValue, PipelineStatistics? statistics = null,
        string? stateFolder = null) =>
        await TextPipeline.Batches(options, split, cursor, TestTokenizer.Instance, statistics, stateFolder)
            .Take(count)
            .RunWith(Sink.Seq<TokenBatch>(), Materializer)
            .WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

    /// <summary>A path whose batches are taken one after the other, as slowly as the test likes.</summary>
    internal PulledBatches Pull(PipelineOptions options, PipelineCursor? cursor = null) => new(
        TextPipeline.Batches(options, Split.Train, cursor, TestTokenizer.Instance)
            .RunWith(Sink.Queue<TokenBatch>().WithAttributes(Attributes.CreateInputBuffer(1, 1)), Materializer));

    public async ValueTask DisposeAsync() => await _system.Terminate();
}

/// <summary>The end of a path that is pulled by hand.</summary>
internal sealed class PulledBatches(ISinkQueue<TokenBatch> queue)
{
    /// <summary>The next batches, fewer at the end.</summary>
    public async Task<List<TokenBatch>> TakeAsync(int count)
    {
        var taken = new List<TokenBatch>();
        while (taken.Count < count && await queue.PullAsync().WaitAsync(TimeSpan.FromSeconds(60)) is { HasValue: true } next)
            taken.Add(next.Value);
        return taken;
    }
}
