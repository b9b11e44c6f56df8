using System.Diagnostics;
using System.Globalization;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using TorchSharp;

namespace Streaming.Model.Tests.Engines;

/// <summary>
/// TorchSharp passes raw pointers to native code and does not keep their owners alive, so a collection at the wrong moment
/// frees an argument while it is read. A longer run:
/// <c>STREAMING_GC_STRESS_SECONDS=600 dotnet test tests/Model.Tests --filter GarbageCollectionSpec</c>.
/// </summary>
public sealed class GarbageCollectionSpec
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(
        double.Parse(Environment.GetEnvironmentVariable("STREAMING_GC_STRESS_SECONDS") ?? "30", CultureInfo.InvariantCulture));

    [Fact]
    public void Training_survives_two_threads_that_allocate_without_pause()
    {
        using var stop = new CancellationTokenSource();
        long[] allocated = [0, 0];
        Exception? failure = null;
        long steps = 0, tensorsAtStart = 0, tensorsAtEnd = 0;
        var trainer = new Thread(() =>
        {
            try
            {
                Train(ref steps, ref tensorsAtStart, ref tensorsAtEnd);
            }
            catch (Exception exception)
            {
                failure = exception;
            }
        });
        Thread[] allocators = [.. allocated.Select((_, i) => new Thread(() => Allocate(stop.Token, ref allocated[i])))];
        var collections = GC.CollectionCount(0);

        foreach (var allocator in allocators)
            allocator.Start();
        trainer.Start();
        trainer.Join();
        stop.Cancel();
        foreach (var allocator in allocators)
            allocator.Join();

        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant(
            $"{steps} steps in {Duration.TotalSeconds} s beside {allocated.Sum()} strings and {GC.CollectionCount(0) - collections} collections"));
        Assert.Null(failure);
        Assert.True(steps > 0 && allocated.All(count => count > 0));
        Assert.True(GC.CollectionCount(0) - collections > Duration.TotalSeconds, "the allocating threads do not make the collector work");
        Assert.Equal(tensorsAtStart, tensorsAtEnd); // nothing was left for the collector to find
    }

    /// <summary>Trains, evaluates, reads and writes state until the time is over.</summary>
    private static void Train(ref long steps, ref long tensorsAtStart, ref long tensorsAtEnd)
    {
        var config = TinyModels.Config with { SlidingWindow = 8 };
        using var engine = new ReferenceEngine(config, new OptimizerOptions { MaxGradientNorm = 0.5 }, Devices.Parse("cpu"), Precision.Float32, new RandomWeights(config, 1));
        var clock = Stopwatch.StartNew();
        var weights = new float[config.VocabularySize * config.HiddenSize];
        while (clock.Elapsed < Duration || steps < 10)
        {
            var tokens = TinyModels.Tokens(config, 4, 16, seed: (int)steps);
            for (var part = 0; part < 2; part++)
                engine.Accumulate(tokens, 4, microBatches: 2);
            var result = engine.Update(1e-3);
            Assert.True(float.IsFinite(result.Loss) && float.IsFinite(result.GradientNorm) && !result.Skipped);
            engine.Evaluate(tokens, 4);
            engine.Parameters[0].Read(StateKind.Weight, weights);
            engine.Parameters[0].Write(StateKind.Weight, weights);
            if (++steps == 3)
                tensorsAtStart = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        }
        tensorsAtEnd = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
    }

    private static void Allocate(CancellationToken stop, ref long count)
    {
        string last = "";
        while (!stop.IsCancellationRequested)
        {
            for (var i = 0; i < 1000; i++)
                last = new string((char)('a' + (count++ % 26)), 20 + (int)(count % 200));
        }
        GC.KeepAlive(last);
    }
}
