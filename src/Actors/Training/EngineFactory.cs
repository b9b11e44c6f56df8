using Streaming.Model;
using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Planning;
using Streaming.Model.Libtorch;
using Streaming.Model.Measurement;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;
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
    /// takes the fused engine in a 16-bit type on a GPU whose shapes it computes, and the reference engine elsewhere.
    /// </summary>
    /// <exception cref="RunRefusedException">The engine is not available here.</exception>
    /// <exception cref="LibtorchException">libtorch or the device is not available here.</exception>
    public static ITrainingEngine Create(RunOptions options, Action<string> notice)
    {
        RequireCombination(options);
        using var weights = options.InitialWeights is { } path ? Open(options.Model, path) : null;
        IWeightSource source = weights is null ? new RandomWeights(options.Model, options.Training.Seed) : weights;
        var adapters = AdaptersOf(options);
        // The weights are made while libtorch loads, where it is likely that the fused engine will want them.
        using var early = MayFuse(options.Training, out var ordinal) ? FusedStart.TryBegin(options.Model, options.Training.Precision ?? Precision.BFloat16, ordinal, source, isFrozen: adapters is not null) : null;
        using (StartTrace.Phase("libtorch")) LibtorchRuntime.Load(options.Training.Libtorch);
        var devices = StartTrace.Phase("devices");
        var device = Devices.Parse(options.Training.Device);
        var precision = options.Training.Precision ?? Devices.DefaultPrecision(device);
        var isFusible = device.type == DeviceType.CUDA && precision is Precision.BFloat16 or Precision.Float16 or Precision.Float8;
        if (precision == Precision.Float8 && (device.type != DeviceType.CUDA || options.Training.Engine == "reference"))
            throw Float8Elsewhere(device.ToString());
        devices.Dispose();
        switch (options.Training.Engine)
        {
            case "reference":
                return Reference(options, device, precision, source, adapters);
            case "auto" when !isFusible:
                return Reference(options, device, precision, source, adapters);
            case "auto":
                try
                {
                    return Fused(options, device, precision, source, adapters, early, notice);
                }
                catch (NotSupportedException reason) when (!NeedsFused(options.Training))
                {
                    notice($"the reference engine computes, which is slower: {reason.Message}");
                    early?.Dispose(); // it reads the weights too
                    return Reference(options, device, precision, source, adapters);
                }
                catch (NotSupportedException reason)
                {
                    throw new RunRefusedException(reason.Message, reason);
                }
            case "fused" when !isFusible:
                throw FusedElsewhere(device.ToString(), precision);
            case "fused":
                try
                {
                    return Fused(options, device, precision, source, adapters, early, notice);
                }
                catch (NotSupportedException reason)
                {
                    throw new RunRefusedException($"torch.engine = fused is not available here: {reason.Message}", reason);
                }
            case var other:
                throw new RunRefusedException($"torch.engine must be auto, fused or reference, was {other}");
        }
    }

    private static bool MayFuse(TrainingOptions training, out int ordinal)
    {
        ordinal = OrdinalOf(training.Device);
        return training.Engine != "reference" && training.Precision is not Precision.Float32 && training.Device != "cpu"
            && training.Lora is not { Dropout: > 0 };
    }

    /// <summary>The GPU's index of a setting such as <c>cuda:1</c>; 0 where it names none.</summary>
    public static int OrdinalOf(string device) =>
        device.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(device.AsSpan(5), out var ordinal) ? ordinal : 0;

    /// <summary>What no engine computes together, weights that do not fit the model, and a libtorch that is not there: told before anything of the run is touched.</summary>
    /// <exception cref="RunRefusedException">The settings do not fit each other, or what they name.</exception>
    internal static void Require(RunOptions options)
    {
        RequireCombination(options);
        try
        {
            LibtorchRuntime.Check(options.Training.Libtorch);
        }
        catch (LibtorchException mistake)
        {
            throw new RunRefusedException(mistake.Message, mistake);
        }
        if (options.InitialWeights is { } path)
            Open(options.Model, path).Dispose();
    }

    private static void RequireCombination(RunOptions options)
    {
        var training = options.Training;
        if (training.Device == "cpu" && training.Precision == Precision.Float8)
            throw Float8Elsewhere("cpu");
        if (training.Device == "cpu" && training.Engine == "fused")
            throw FusedElsewhere("cpu", training.Precision ?? Precision.Float32);
        if (new Combination(options.Optimizer.Kind, training.Precision, training.WideResidual, training.Offload, training.Recompute, training.Lora).WhyNot is { } reason)
            throw new RunRefusedException(reason);
        if (NeedsFused(training) && (training.Engine == "reference" || training.Device == "cpu" || training.Precision == Precision.Float32))
            throw new RunRefusedException($"training.offload and training.recompute need the fused engine on a CUDA GPU in 16 or 8 bits, and {(training.Engine == "reference" ? "torch.engine is reference" : training.Device == "cpu" ? "torch.device is cpu" : "torch.precision is float32")}: set both to none or auto");
        if (training.Lora is null)
            return;
        if (options.InitialWeights is not { } path)
            throw new RunRefusedException("training.lora tunes a model that was trained before, and model.weights is random: name its folder in model.weights, or set training.lora.rank = none");
        if (AdapterFolder.IsOne(path))
            throw new RunRefusedException($"training.lora needs a whole model, and model.weights = {path} holds adapters: merge them with \"streaming export --model {path}\" and name what it writes");
    }

    private static RunRefusedException Float8Elsewhere(string device) =>
        new($"torch.precision = fp8 needs the fused engine on a CUDA GPU, and this run is on {device}: set torch.precision = auto");

    private static RunRefusedException FusedElsewhere(string device, Precision precision) =>
        new($"torch.engine = fused computes in bf16, fp16 or fp8 on a CUDA GPU, and this run is on {device} in {precision.ToString().ToLowerInvariant()}: set torch.engine = auto, or torch.device and torch.precision to what it needs");

    private static AdapterSet? AdaptersOf(RunOptions options)
    {
        if (options.Training.Lora is not { } lora)
            return null;
        // "latest" leads elsewhere later.
        var path = Path.GetFullPath(options.InitialWeights!);
        path = Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        using var weights = SafetensorsWeights.Open(path);
        return new AdapterSet(lora, path, BaseFingerprint.Of(weights), options.Training.Seed);
    }

    private static ModelWeights Open(MistralConfig model, string path)
    {
        try
        {
            return ModelWeights.Open(model, path);
        }
        catch (ModelException mistake)
        {
            throw new RunRefusedException($"model.weights cannot be used with model.config: {mistake.Message}", mistake);
        }
    }

    private static ReferenceEngine Reference(RunOptions options, torch.Device device, Precision precision, IWeightSource weights, AdapterSet? adapters)
    {
        if (NeedsFused(options.Training))
            throw new RunRefusedException($"training.offload and training.recompute need the fused engine on a CUDA GPU, and the reference engine computes this run on {device}: set both to none or auto");
        return new(options.Model, options.Optimizer, device, precision, weights, adapters);
    }

    private static bool NeedsFused(TrainingOptions training) =>
        training.Offload is not (null or OffloadLevel.None) || training.Recompute is not (null or Recomputation.None);

    private static FusedEngine Fused(RunOptions options, torch.Device device, Precision precision, IWeightSource source, AdapterSet? adapters, FusedStart? early, Action<string> notice)
    {
        var choice = Chosen(options, notice, new FusedEngineOptions(
            options.Data.Rows, options.Data.BlockSize, Math.Max(0, device.index), options.Training.Deterministic, KernelCache.Folder,
            precision, options.Training.WideResidual, Adapters: adapters));
        return early is null
            ? FusedEngine.Create(options.Model, options.Optimizer, choice, source)
            : new FusedEngine(options.Model, options.Optimizer, choice, early.Weights);
    }

    /// <summary>What is offloaded and computed again: as the run says, or as the planner finds; where it does not fit, that is said before anything is taken.</summary>
    private static FusedEngineOptions Chosen(RunOptions options, Action<string> notice, FusedEngineOptions engine)
    {
        var (offload, recompute) = (options.Training.Offload, options.Training.Recompute);
        engine = engine with { Offload = offload ?? OffloadLevel.None, Recompute = recompute ?? Recomputation.None };
        if (offload == OffloadLevel.None && recompute is not null && options.Training.MemoryLimit is null)
            return engine;
        if (Machine.Describe(engine.Device, measures: false) is not { } machine)
            return engine;
        if (options.Training.MemoryLimit is { } limit)
            machine = machine with { DeviceBytes = Math.Min(limit, machine.DeviceBytes) };
        var planner = new MemoryPlanner(options.Model, options.Optimizer.Kind, engine, options.Training.GradientAccumulationSteps, machine);
        var isGiven = offload is not null && recompute is not null;
        // A prediction alone is no reason to refuse what was asked for and may fit.
        var level = planner.Choose(offload, recompute, tolerance: isGiven && options.Training.MemoryLimit is null ? 0.05 : 0);
        if (!isGiven)
            notice(planner.Explain(level));
        return engine with { Offload = level.Offload, Recompute = level.Recompute, UpdateSlots = level.UpdateSlots };
    }
}
