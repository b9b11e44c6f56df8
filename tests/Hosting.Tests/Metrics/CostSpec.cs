using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Metrics;
using Streaming.Hosting.Metrics.Gpu;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Tests.Metrics;

public sealed class CostSpec(ITestOutputHelper output) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cost-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_step_leaves_everything_that_watches_a_run_with_hardly_any_garbage()
    {
        var settings = SettingsLoader.Load(null, [new Assignment($"run.directory={_folder}"), new Assignment("metrics.port=0")], _ => null);
        using var host = TrainHost.Build(settings, RunOptionsBuilder.Build(settings), new RunHandle(), new Screen(TextWriter.Null, TextWriter.Null, null), [], new TaskCompletionSource());
        IRunObserver[] observers =
        [
            host.Services.GetRequiredService<GpuMetrics>(), host.Services.GetRequiredService<RunMetrics>(), host.Services.GetRequiredService<PipelineMetrics>(),
            host.Services.GetRequiredService<TextMetrics>(), host.Services.GetRequiredService<RunHealth>(), .. host.Services.GetServices<IRunObserver>(),
            host.Services.GetRequiredService<Watchdog>(),
        ];
        var step = new TrainerProtocol.StepCompleted(1, 2.5f, 0.75f, 1e-3, 100, 500, TimeSpan.FromSeconds(0.3), TimeSpan.FromSeconds(0.1), 7, Skipped: false);
        const int Steps = 20_000;
        Observe(Steps); // compiled twice: as it is first called, and again as what is hot
        Thread.Sleep(300);
        Observe(Steps);
        var (allocated, began) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.GetTimestamp());
        Observe(Steps);
        var microseconds = Stopwatch.GetElapsedTime(began).TotalMicroseconds / Steps;
        var bytes = (GC.GetAllocatedBytesForCurrentThread() - allocated) / (double)Steps;
        output.WriteLine($"{observers.Length} observers: {microseconds:F2} µs and {bytes:F0} bytes a step");
        Assert.True(bytes < 200, $"{bytes} bytes a step");

        void Observe(int count)
        {
            for (; count > 0; count--)
            {
                foreach (var observer in observers)
                    observer.Observe(step);
            }
        }
    }
}
