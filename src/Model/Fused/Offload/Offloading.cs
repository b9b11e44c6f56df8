using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused.Offload;

/// <summary>What the engine has where training state lives in host memory: lanes, the streamed update, streamed layers.</summary>
internal sealed class Offloading : IDisposable
{
    /// <summary>Rooms of the update, and their size: enough for copies of many megabytes to be under way in both directions.</summary>
    public const int LeastSlots = 4;

    public const long SlotBytes = 64 << 20;

    /// <summary>The part of the state, one in so many, that waits on the device for its update at most: whoever offloads wants the memory.</summary>
    public const int MostReadAhead = 4;

    private readonly FlatBuffers _flat;
    private readonly FusedOptimizer _optimizer;
    private readonly ParameterLayout _layout;
    private readonly bool _roundsWeights;

    public Offloading(CudaDevice device, KernelModule kernels, ParameterLayout layout, FusedBuffers buffers, FusedOptimizer optimizer, bool roundsWeights, int updateSlots)
    {
        (_flat, _optimizer, _layout, _roundsWeights) = (buffers.Flat, optimizer, layout, roundsWeights);
        Lanes = new CudaLanes(device, kernels);
        var streamsLayers = buffers.Flat.Host!.Level == OffloadLevel.Parameters;
        // Between two passes the arena is free; where updates and passes overlap, the update has memory of its own.
        var slots = streamsLayers ? LeastSlots : updateSlots;
        var room = streamsLayers ? Math.Min(SlotBytes, buffers.ArenaBytes / slots / 4096 * 4096) : SlotBytes;
        var chunks = new StateChunks(buffers.Flat, layout, room);
        var memory = streamsLayers ? buffers.Arena : buffers.UpdateSlots;
        Update = new StreamedUpdate(Lanes, optimizer, layout, chunks, [.. Enumerable.Range(0, slots).Select(slot => memory + (nint)(slot * room))], readsAhead: !streamsLayers);
        if (streamsLayers) Layers = new StreamedLayers(Lanes, buffers.Flat, layout);
        Residency = new TracedResidency(Layers is not null ? Layers : new UpdatedInTurn(Update), Lanes);
        buffers.Flat.Host.Memory.Settle = () =>
        {
            if (streamsLayers) device.Synchronize(); // passes bring gradients home
            Update.Finish();
        };
        buffers.Flat.Host.Memory.Changing = Update.Forget;
    }

    public CudaLanes Lanes { get; }
    public StreamedUpdate Update { get; }
    public StreamedLayers? Layers { get; }
    public IResidency Residency { get; }

    /// <exception cref="NotSupportedException">What cannot be computed together.</exception>
    public static void Require(FusedEngineOptions options, OptimizerKind optimizer)
    {
        if (WhyNot(options, optimizer) is { } reason) throw new NotSupportedException(reason);
    }

    /// <inheritdoc cref="Combination.WhyNot"/>
    public static string? WhyNot(FusedEngineOptions options, OptimizerKind optimizer) =>
        new Combination(optimizer, options.Precision, options.WideResidual, options.Offload, options.Recompute, options.Adapters?.Lora).WhyNot;

    /// <summary>Before a forward pass is queued: streamed layers read what the last update has brought home.</summary>
    public void BeforePass()
    {
        if (Layers is not null) Update.AwaitHome(Lane.Compute);
    }

    /// <summary>Before the step's scalars change: the last update reads them.</summary>
    public void BeforeUpdate() => Update.AwaitUpdate(Lane.Compute);

    /// <summary>Norm, clipping, loss scale and the update of all weights.</summary>
    /// <param name="lap">Takes the name of what was queued.</param>
    /// <param name="queueResult">Queues reading the step's result, before the state is on its way out: behind that it would wait.</param>
    public void QueueUpdate(Action<string> lap, Action queueResult)
    {
        Lanes.Begin(Lane.Compute);
        if (Layers is null) _optimizer.QueueNorm(lap);
        else
        {
            Layers.QueueOtherSums();
            _optimizer.QueueClipping(StreamedLayers.SumsFor(_layout.Layers.Length), lap);
        }
        Lanes.End(Lane.Compute, "gradient norm");
        queueResult();
        Update.Queue();
        if (_roundsWeights) Update.AwaitUpdate(Lane.Compute);
    }

    public void Dispose() => Lanes.Dispose();
}
