using System.Diagnostics;
using Streaming.Actors;
using Streaming.Actors.Tests.Runs;
using Streaming.Hosting.Metrics.Gpu;
using TorchSharp;

namespace Streaming.Soak;

/// <summary>
/// Weeks in short: one run of many small steps with checkpoints and evaluations, whose memory, handles and tensors stay level. A hundred
/// thousand: <c>STREAMING_SOAK_STEPS=100000 dotnet test tests/Soak --filter LongRun</c>, on a GPU with <c>STREAMING_SOAK_DEVICE=cuda:0</c>.
/// </summary>
public sealed class LongRunSpec : IDisposable
{
    private const int Samples = 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("long-run-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Memory_handles_and_tensors_stay_level()
    {
        var steps = SoakLength.Steps;
        var options = TinyRun.Options(_folder, steps);
        options = options with
        {
            Training = options.Training with { GradientAccumulationSteps = 1, SpikeZScore = 10 },
            Checkpoints = options.Checkpoints with { SaveSteps = Math.Max(10, steps / 200), SaveTotalLimit = 2 },
            Evaluation = options.Evaluation with { EvalSteps = Math.Max(10, steps / 100) },
        };
        if (SoakLength.Device is { } device)
            options = options with
            {
                // The narrowest heads that the fused engine computes.
                Model = options.Model with { HiddenSize = 64, IntermediateSize = 96, HeadSize = 16 },
                Training = options.Training with { Device = device, Precision = null, Engine = "fused" },
            };
        var samples = new List<Sample>();
        await using var run = await HostedRun.StartAsync(options);
        run.KeepsNoSteps = true;
        for (var index = 1; index <= Samples; index++)
        {
            var step = (long)steps * index / Samples;
            await run.SeeStepAsync(step, TimeSpan.FromHours(2));
            samples.Add(Sample.Take(step));
        }
        Assert.IsType<RunOutcome.Completed>(await run.EndAsync());
        var table = string.Join('\n', samples);
        if (steps > 1000)
            Console.WriteLine(table);
        // What is loaded and compiled on the way belongs to the first half.
        var level = samples[(Samples / 2)..];
        foreach (var (what, value, noise) in new (string, Func<Sample, double>, double)[]
        {
            ("managed bytes", sample => sample.Managed, 8 << 20),
            ("resident bytes", sample => sample.Resident, 48 << 20),
            ("open files", sample => sample.Files, 8),
            ("threads", sample => sample.Threads, 8),
            ("tensors", sample => sample.Tensors, 64),
            ("device bytes", sample => sample.Device, 4 << 20),
        })
        {
            var rise = level.TakeLast(3).Average(value) - level.Take(3).Average(value);
            Assert.True(rise < noise, $"{what} rise by {rise:0} over half of the run\n{table}");
        }
    }

    private sealed record Sample(long Step, long Managed, long Resident, int Files, int Threads, long Tensors, double Device)
    {
        public static Sample Take(long step)
        {
            var managed = GC.GetTotalMemory(forceFullCollection: true);
            using var process = Process.GetCurrentProcess();
            return new(step, managed, process.WorkingSet64, Directory.GetFiles("/proc/self/fd").Length, process.Threads.Count, torch.Tensor.TotalCount,
                SoakLength.Device is null ? 0 : Nvml.Read(Nvml.All()[0]).MemoryUsedBytes ?? throw new InvalidOperationException("the driver does not tell the device memory in use"));
        }
    }
}
