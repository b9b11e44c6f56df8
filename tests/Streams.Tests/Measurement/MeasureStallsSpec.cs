using Akka.Streams;
using Akka.Streams.Dsl;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Tests.Measurement;

public sealed class MeasureStallsSpec(StreamFixture streams) : IClassFixture<StreamFixture>
{
    private static readonly TimeSpan _nap = TimeSpan.FromMilliseconds(30);
    private readonly StageStatistics _before = new("before"), _after = new("after");

    [Fact]
    public async Task Behind_a_slow_source_the_stage_after_it_waits_for_work()
    {
        await RunAsync(slowSource: true, slowSink: false);
        Assert.True(_after.StalledUpstream > 5 * _nap, $"{_after.StalledUpstream}");
        Assert.True(_before.StalledDownstream < _after.StalledUpstream / 2, $"{_before.StalledDownstream}");
    }

    [Fact]
    public async Task Before_a_slow_sink_the_stage_before_it_is_held_back()
    {
        await RunAsync(slowSource: false, slowSink: true);
        Assert.True(_before.StalledDownstream > 5 * _nap, $"{_before.StalledDownstream}");
        Assert.True(_after.StalledUpstream < _before.StalledDownstream / 2, $"{_after.StalledUpstream}");
    }

    [Fact]
    public async Task A_wait_that_has_not_ended_counts_and_one_after_the_end_does_not()
    {
        var ended = new TaskCompletionSource<int>();
        var run = Source.FromTask(ended.Task).Via(new MeasureStalls<int>([_before], [_after])).RunWith(Sink.Ignore<int>(), streams.Materializer);
        while (_after.StalledUpstream < _nap) // a busy machine starts the stage late
            await Task.Delay(_nap, TestContext.Current.CancellationToken);
        ended.SetResult(1);
        await run;
        await Task.Delay(_nap, TestContext.Current.CancellationToken); // the stage stops after its sink's task has ended
        var total = _after.StalledUpstream + _before.StalledDownstream;
        await Task.Delay(2 * _nap, TestContext.Current.CancellationToken);
        Assert.Equal(total, _after.StalledUpstream + _before.StalledDownstream);
    }

    private async Task RunAsync(bool slowSource, bool slowSink)
    {
        var queue = Source.From(Enumerable.Range(0, 10))
            .Select(element => Nap(element, slowSource))
            .Via(new MeasureStalls<int>([_before], [_after]))
            .RunWith(Sink.Queue<int>().WithAttributes(Attributes.CreateInputBuffer(1, 1)), streams.Materializer);
        while ((await queue.PullAsync()).HasValue)
        {
            if (slowSink)
                await Task.Delay(_nap, TestContext.Current.CancellationToken);
        }
    }

    private static int Nap(int element, bool naps)
    {
        if (naps)
            Thread.Sleep(_nap);
        return element;
    }
}
