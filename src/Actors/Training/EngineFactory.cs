using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using TorchSharp;

namespace Streaming.Actors;

/// <summary>Makes the engine of a run, on the thread that will train.</summary>
/// <param name="options">The run.</param>
/// <param name="notice">Takes a sentence that an operator should read.</param>
public delegate ITrainingEngine EngineMaker(RunOptions options, Action<string> notice);

/// <summary>Chooses what computes a run.</summary>
public static class EngineFactory
{
    /// <summary>
    /// The engine that <see cref="TrainingOptions.Engine"/> names, with weights initialised from the run's seed. <c>auto</c>
    /// takes the fused engine in bf16 on a GPU whose shapes it computes, and the reference engine elsewhere.
    /// </summary>
    /// <exception cref="RunRefusedException">The engine is not available here.</exception>
    /// <exception cref="LibtorchException">libtorch or the device is not available here.</exception>
    public static ITrainingEngine Create(RunOptions options, Action<string> notice)
    {
        LibtorchRuntime.Load(options.Training.Libtorch);
        var device = Devices.Parse(options.Training.Device);
        var precision = options.Training.Precision ?? Devices.DefaultPrecision(device);
        var isFusible = device.type == DeviceType.CUDA && precision == Precision.BFloat16;
        switch (options.Training.Engine)
        {
            case "reference":
                return Reference(options, device, precision);
            case "auto" when !isFusible:
                return Reference(options, device, precision);
            case "auto":
                try
                {
                    return Fused(options, device);
                }
                catch (NotSupportedException reason)
                {
                    notice($"the reference engine computes, which is slower: {reason.Message}");
                    return Reference(options, device, precision);
                }
            case "fused" when !isFusible:
                throw new RunRefusedException(
                    $"training.engine = fused computes in bf16 on a CUDA GPU, and this run is on {device} in {precision.ToString().ToLowerInvariant()}: set training.engine = auto, or training.device and training.precision to what it needs");
            case "fused":
                try
                {
                    return Fused(options, device);
                }
                catch (NotSupportedException reason)
                {
                    throw new RunRefusedException($"training.engine = fused is not available here: {reason.Message}", reason);
                }
            case var other:
                throw new RunRefusedException($"training.engine must be auto, fused or reference, was {other}");
        }
    }

    private static ReferenceEngine Reference(RunOptions options, torch.Device device, Precision precision) =>
        new(options.Model, options.Optimizer, device, precision, new RandomWeights(options.Model, options.Training.Seed));

    private static FusedEngine Fused(RunOptions options, torch.Device device) =>
        new(
            options.Model,
            options.Optimizer,
            new FusedEngineOptions(
                options.Data.Rows, options.Data.BlockSize, Math.Max(0, device.index), options.Training.Deterministic, KernelCache()),
            new RandomWeights(options.Model, options.Training.Seed));

    /// <summary>Where compiled kernels are kept: below <c>XDG_CACHE_HOME</c> or <c>~/.cache</c>, or with temporary files where there is no home.</summary>
    private static string KernelCache()
    {
        var root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(root) || !Path.IsPathRooted(root))
        {
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            root = home.Length > 0 ? Path.Combine(home, ".cache") : Path.GetTempPath();
        }
        return Path.Combine(root, "streaming", "kernels");
    }
}
