using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Adapters;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Fused;

/// <summary>How much device memory a run takes, before any is taken; and which micro-batch fits.</summary>
/// <param name="Shape">The model.</param>
/// <param name="Layout">Its parameters.</param>
/// <param name="Optimizer">Whose moments are kept.</param>
/// <param name="Precision">What is computed in.</param>
/// <param name="Tokens">Tokens a row.</param>
/// <param name="Multiprocessors">Of the GPU.</param>
/// <param name="WideResidual">The residual stream is float32.</param>
/// <param name="Offload">What of the state lives in host memory.</param>
/// <param name="Recompute">What the backward pass computes again.</param>
/// <param name="Lora">Adapters that are trained instead of the model.</param>
/// <param name="UpdateSlots">Rooms through which the optimiser's state travels where it lives in host memory.</param>
public sealed record MemoryNeeds(
    FusedShape Shape, ParameterLayout Layout, OptimizerKind Optimizer, Precision Precision, int Tokens, int Multiprocessors, bool WideResidual = false,
    OffloadLevel Offload = OffloadLevel.None, Recomputation Recompute = Recomputation.None, LoraOptions? Lora = null, int UpdateSlots = Offloading.LeastSlots)
{
    private readonly AdapterLayout? _adapters = Lora is null ? null : new AdapterLayout(Shape, Lora);

    /// <summary>What the libraries take for themselves beside the context: kernels, workspaces. Measured on an H100.</summary>
    public const long LibraryBytes = 184L << 20;

    /// <summary>Weights, master weights, gradients and moments.</summary>
    public long ParameterBytes => _adapters is not null ? FrozenWeights.Predict(Layout, Precision == Precision.Float16, StreamsFrozen) + AdapterBytes :
        FlatBuffers.Predict(Layout, Optimizer, Precision == Precision.Float16, Offload) + (Precision == Precision.Float8 ? 2 * Layout.Count : 0)
        + (Offload == OffloadLevel.Optimizer ? UpdateSlots * Offloading.SlotBytes : 0);

    /// <summary>Weights, gradients and moments of the adapters.</summary>
    public long AdapterBytes => _adapters is null ? 0 : FlatBuffers.Predict(_adapters.Parameters, OptimizerKind.AdamW, Precision == Precision.Float16);

    /// <summary>Page-locked host memory.</summary>
    public long HostBytes => _adapters is null ? HostState.Predict(Layout, Optimizer, Precision == Precision.Float16, Offload) : FrozenWeights.PredictHost(Layout, StreamsFrozen);

    /// <summary>What comes in, and goes out again, in every update where the optimiser's state lives in host memory: the lower halves of the weights, the moments.</summary>
    public long TravellingBytes => Layout.Count * FlatBuffers.LowBytesFor(Precision == Precision.Float16) + new MomentPlan(Layout, Optimizer).Bytes;

    /// <summary>With as many rooms for travelling state as fit into so many bytes beside the rest of the run: what is free is of no other use.</summary>
    public MemoryNeeds FilledUp(long available, int rows) => Offload != OffloadLevel.Optimizer ? this : this with
    {
        UpdateSlots = UpdateSlots + (int)(Math.Clamp(available - Bytes(rows), 0, TravellingBytes / Offloading.MostReadAhead) / Offloading.SlotBytes),
    };

    /// <summary>Likewise, for what layers keep of micro-batches of so many rows.</summary>
    public long HostActivationBytes(int rows) => Recompute == Recomputation.Host ? StreamedActivations.HostBytes(Activations(rows), Shape.Layers) : 0;

    /// <summary>Everything, for micro-batches of so many rows.</summary>
    public long Bytes(int rows)
    {
        var activations = Activations(rows).Bytes;
        return LibraryBytes + ParameterBytes + Math.Max(activations, _adapters is null ? FusedOptimizer.ScratchBytes(Layout, Optimizer, activations) : 0)
            + new InputLayout(rows * Tokens).Bytes + AttentionBytes((long)rows * Tokens);
    }

    private bool StreamsFrozen => Offload == OffloadLevel.Parameters;

    private ActivationPlan Activations(int rows) =>
        FusedBuffers.PlanFor(Shape, rows * Tokens, Multiprocessors, Precision == Precision.Float8, WideResidual, Recompute, _adapters?.Width ?? 0);

    /// <summary>The most rows, up to <paramref name="most"/>, that fit into so many bytes; 0 where not one does.</summary>
    public int LargestRows(long available, int most)
    {
        int fits = 0, tooMany = most + 1;
        while (tooMany - fits > 1)
        {
            var middle = fits + (tooMany - fits) / 2;
            if (Bytes(middle) <= available) fits = middle;
            else tooMany = middle;
        }
        return fits;
    }

    /// <summary>The setting to lower, and to what, so that a run fits into so many bytes.</summary>
    public string Remedy(long available, int rows)
    {
        if (LargestRows(available, rows - 1) is > 0 and var fits)
            return $"set training.per-device-train-batch-size to {fits} or less";
        if (Lora is null && Optimizer == OptimizerKind.AdamW && (this with { Optimizer = OptimizerKind.AdamW8Bit }).LargestRows(available, rows) is > 0 and var smaller)
            return $"set training.optimizer = adamw-8bit and training.per-device-train-batch-size to {smaller} or less";
        for (var tokens = Tokens / 2; tokens >= 64; tokens /= 2)
            if ((this with { Tokens = tokens }).Bytes(1) <= available)
                return $"set training.per-device-train-batch-size to 1 and data.block-size to {tokens} or less";
        if (Lora is not null)
            return $"weights and adapters alone take {OutOfDeviceMemoryException.Gibibytes(ParameterBytes)}: {(StreamsFrozen ? "choose a smaller model in model.config" : "set training.offload = parameters and training.recompute = host")}";
        return Offload == OffloadLevel.None && Optimizer != OptimizerKind.Muon
            ? $"weights, gradients and moments alone take {OutOfDeviceMemoryException.Gibibytes(ParameterBytes)}: set training.offload and training.recompute = auto, or choose a smaller model in model.config"
            : $"weights, gradients and moments alone take {OutOfDeviceMemoryException.Gibibytes(ParameterBytes)}: choose a smaller model in model.config";
    }

    // Each layer's result and the logarithms of its sums are libtorch's and stay until the backward pass, whose gradients and float32
    // sums, in libtorch's and in cuDNN's hands, come on top for one layer.
    private long AttentionBytes(long positions) =>
        positions * ((Recompute == Recomputation.None ? Shape.Layers : 1) * (2L * Shape.QueryWidth + 4L * Shape.Heads) + 2L * Shape.PackedWidth + 8L * Shape.QueryWidth);
}
