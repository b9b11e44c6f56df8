using Streaming.Actors;
using Streaming.Hosting.Live;
using Streaming.Hosting.Metrics;

namespace Streaming.Hosting.Tests.Metrics;

public sealed class CostSpec(ITestOutputHelper output)
{
    [Fact]
    public void A_step_leaves_the_metrics_and_the_page_with_hardly_any_garbage()
    {
        var registry = Prometheus.Metrics.NewCustomRegistry();
        var metrics = new RunMetrics(registry, TimeProvider.System);
        var history = new RunHistory();
        var events = new EventLog(TimeProvider.System);
        var step = new TrainerProtocol.StepCompleted(1, 2.5f, 0.75f, 1e-3, 100, 500, TimeSpan.FromSeconds(0.3), TimeSpan.FromSeconds(0.1), 7, Skipped: false);
        const int Steps = 20_000;
        Observe(1000);
        var (allocated, began) = (GC.GetAllocatedBytesForCurrentThread(), System.Diagnostics.Stopwatch.GetTimestamp());
        Observe(Steps);
        var microseconds = System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalMicroseconds / Steps;
        var bytes = (GC.GetAllocatedBytesForCurrentThread() - allocated) / (double)Steps;
        output.WriteLine($"{microseconds:F2} µs and {bytes:F0} bytes a step");
        Assert.True(bytes < 200, $"{bytes} bytes a step");

        void Observe(int count)
        {
            for (; count > 0; count--)
            {
                metrics.Observe(step);
                history.Observe(step);
                events.Observe(step);
            }
        }
    }
}
