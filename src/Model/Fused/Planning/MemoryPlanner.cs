using System.Globalization;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Fused.Planning;

/// <summary>Where a run is to take place.</summary>
/// <param name="Name">The GPU, or what is assumed of it.</param>
/// <param name="Multiprocessors">Of the GPU.</param>
/// <param name="DeviceBytes">Of its memory, free for the run.</param>
/// <param name="HostBytes">Of the host's memory, free for the run.</param>
/// <param name="Rates">How fast it is.</param>
public sealed record Machine(string Name, int Multiprocessors, long DeviceBytes, long HostBytes, MachineRates Rates)
{
    /// <summary>An H100 80GB in this host, where there is no GPU to ask.</summary>
    public static Machine Assumed => new("an H100 80GB, assumed", 132, 79L << 30, HostLimits.Available(), MachineRates.H100);

    /// <summary>This machine with one of its GPUs; null where NVIDIA's driver has none of that index.</summary>
    /// <param name="ordinal">The GPU.</param>
    /// <param name="measures">Copies are timed; otherwise the rates are an H100's.</param>
    public static Machine? Describe(int ordinal, bool measures)
    {
        if (Libtorch.CudaDriver.Describe(ordinal) is null) return null;
        using var device = new CudaDevice(ordinal);
        var (used, total) = CudaDevice.Memory();
        return new(device.Name, device.Multiprocessors, total - used, HostLimits.Available(), measures ? MachineRates.Measure(device) : MachineRates.H100);
    }
}

/// <summary>One way to hold a run's state, and what it takes.</summary>
/// <param name="Offload">What lives in host memory.</param>
/// <param name="Recompute">What the backward pass computes again.</param>
/// <param name="DeviceBytes">Peak device memory.</param>
/// <param name="HostBytes">Peak host memory of the process.</param>
/// <param name="StepSeconds">Of one step.</param>
/// <param name="WhyNot">Why the engine does not compute it; null where it does.</param>
/// <param name="UpdateSlots">Rooms for the optimiser's state as it travels.</param>
public sealed record MemoryLevel(OffloadLevel Offload, Recomputation Recompute, long DeviceBytes, long HostBytes, double StepSeconds, string? WhyNot, int UpdateSlots)
{
    public bool Fits(Machine machine) => WhyNot is null && DeviceBytes <= machine.DeviceBytes && HostBytes <= machine.HostBytes;
}

/// <summary>All ways to hold a run's state in device and host memory, and which to take.</summary>
public sealed class MemoryPlanner
{
    // What the process takes of host memory beside the state, as measured: runtime, libtorch, CUDA.
    private const long ProcessBytes = 820L << 20;

    // Of the device memory, what is used up at most where more use of it only saves time: a prediction may be a little short.
    private const double UsedUp = 0.95;

    private readonly Machine _machine;

    /// <param name="model">The model.</param>
    /// <param name="optimizer">What updates it.</param>
    /// <param name="options">Of the run; its own level counts for nothing.</param>
    /// <param name="microBatches">Micro-batches a step.</param>
    /// <param name="machine">Where.</param>
    /// <exception cref="NotSupportedException">The fused engine cannot compute the model.</exception>
    public MemoryPlanner(MistralConfig model, OptimizerKind optimizer, FusedEngineOptions options, int microBatches, Machine machine)
    {
        _machine = machine;
        var shape = FusedShape.From(model);
        var layout = new ParameterLayout(shape);
        // The first weights are made in the state's own memory, or beside it, a parameter in float32 at a time.
        var half = options.Precision == Precision.Float16;
        long firstWeights = options.Adapters is null ? layout.Count * (sizeof(ushort) + FlatBuffers.LowBytesFor(half)) : FrozenWeights.Predict(layout, half, isStreamed: false), largest = layout.Entries.Max(entry => entry.Count) * sizeof(float);
        Levels = [.. from offload in Enum.GetValues<OffloadLevel>()
                     from recompute in Enum.GetValues<Recomputation>()
                     select Of(offload, recompute)];

        MemoryLevel Of(OffloadLevel offload, Recomputation recompute)
        {
            var needs = new MemoryNeeds(shape, layout, optimizer, options.Precision, options.Tokens, machine.Multiprocessors, options.WideResidual, offload, recompute, options.Adapters?.Lora)
                .FilledUp((long)(UsedUp * machine.DeviceBytes), options.Rows);
            return new(offload, recompute, needs.Bytes(options.Rows), ProcessBytes + Math.Max(needs.HostBytes, firstWeights) + needs.HostActivationBytes(options.Rows) + largest,
                new StepTime(needs, options.Rows, microBatches, machine.Rates).Seconds, Offloading.WhyNot(options with { Offload = offload, Recompute = recompute }, optimizer), needs.UpdateSlots);
        }
    }

    /// <summary>Every level of offloading with every one of recomputation.</summary>
    public IReadOnlyList<MemoryLevel> Levels { get; }

    /// <summary>The fastest that fits.</summary>
    /// <param name="offload">What may be offloaded; null is for the planner to say.</param>
    /// <param name="recompute">What may be computed again; null is for the planner to say.</param>
    /// <param name="tolerance">The part of the device memory by which a prediction may be beyond it.</param>
    /// <exception cref="HostMemoryException">Nothing fits into host memory.</exception>
    /// <exception cref="OutOfDeviceMemoryException">Nothing fits into device memory.</exception>
    public MemoryLevel Choose(OffloadLevel? offload, Recomputation? recompute, double tolerance = 0)
    {
        var machine = _machine with { DeviceBytes = (long)((1 + tolerance) * _machine.DeviceBytes) };
        var allowed = Levels.Where(level => (offload is null || level.Offload == offload) && (recompute is null || level.Recompute == recompute)).ToArray();
        var possible = allowed.Where(level => level.WhyNot is null).ToArray();
        if (possible.Length == 0) throw new NotSupportedException(allowed[0].WhyNot);
        if (possible.Where(level => level.Fits(machine)).MinBy(level => level.StepSeconds) is { } fastest) return fastest;
        var smallest = possible.Where(level => level.HostBytes <= _machine.HostBytes).MinBy(level => level.DeviceBytes);
        if (smallest is null)
        {
            var least = possible.MinBy(level => level.HostBytes)!;
            throw new HostMemoryException(Text($"training.offload = {Word(least.Offload)} needs {HostMemoryException.Gibibytes(least.HostBytes)} of host memory and {HostMemoryException.Gibibytes(_machine.HostBytes)} are free: {Remedy(least)}"));
        }
        var remedy = Levels.Where(level => level.Fits(_machine)).MinBy(level => level.StepSeconds) is { } other
            ? Text($"set training.offload = {Word(other.Offload)} and training.recompute = {Word(other.Recompute)}")
            : "set a smaller training.per-device-train-batch-size or data.block-size, training.optimizer = adamw-8bit, or a smaller model in model.config";
        throw new HostMemoryException(Text($"the run needs {HostMemoryException.Gibibytes(smallest.DeviceBytes)} of device memory with training.offload = {Word(smallest.Offload)} and training.recompute = {Word(smallest.Recompute)}, and may take {HostMemoryException.Gibibytes(_machine.DeviceBytes)}: {remedy}"));
    }

    /// <summary>What was chosen and why, for people.</summary>
    public string Explain(MemoryLevel chosen)
    {
        var others = Levels.Where(level => level != chosen && level.WhyNot is null && level.StepSeconds < chosen.StepSeconds).OrderBy(level => level.StepSeconds)
            .Select(level => Text($"{Word(level.Offload)} with recompute {Word(level.Recompute)} needs {HostMemoryException.Gibibytes(level.DeviceBytes)} of device and {HostMemoryException.Gibibytes(level.HostBytes)} of host memory")).Take(1).ToArray();
        return Text($"offload {Word(chosen.Offload)}, recompute {Word(chosen.Recompute)}: about {HostMemoryException.Gibibytes(chosen.DeviceBytes)} of {HostMemoryException.Gibibytes(_machine.DeviceBytes)} device memory and {HostMemoryException.Gibibytes(chosen.HostBytes)} of {HostMemoryException.Gibibytes(_machine.HostBytes)} host memory, the fastest that fits")
            + (others.Length > 0 ? $" ({others[0]})" : "");
    }

    /// <summary>As the configuration has it.</summary>
    public static string Word(Enum level) => level.ToString().ToLowerInvariant();

    private string Remedy(MemoryLevel level) => level.Offload switch
    {
        OffloadLevel.Parameters when Levels.Any(other => other.Offload == OffloadLevel.Optimizer && other.Fits(_machine)) => "set training.offload = optimizer",
        _ when Levels.Any(other => other.Offload == OffloadLevel.None && other.Fits(_machine)) => "set training.offload = none",
        _ => "set training.optimizer = adamw-8bit, or a smaller model in model.config",
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
