using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;

namespace Streaming.Actors;

/// <summary>Chooses what computes a run.</summary>
public static class EngineFactory
{
    /// <summary>
    /// Makes the engine that <see cref="TrainingOptions.Engine"/> names, with weights initialised from the run's seed. Call it
    /// on the thread that will train.
    /// </summary>
    /// <exception cref="RunRefusedException">The engine is not available here.</exception>
    /// <exception cref="LibtorchException">libtorch or the device is not available here.</exception>
    public static ITrainingEngine Create(RunOptions options)
    {
        LibtorchRuntime.Load(options.Training.Libtorch);
        var device = Devices.Parse(options.Training.Device);
        var precision = options.Training.Precision ?? Devices.DefaultPrecision(device);
        var weights = new RandomWeights(options.Model, options.Training.Seed);
        return options.Training.Engine switch
        {
            "auto" or "reference" => new ReferenceEngine(options.Model, options.Optimizer, device, precision, weights),
            "fused" => throw new RunRefusedException(
                "training.engine = fused is not available in this build: use training.engine = auto or reference"),
            var other => throw new RunRefusedException($"training.engine must be auto, fused or reference, was {other}"),
        };
    }
}
