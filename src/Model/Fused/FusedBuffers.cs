using Streaming.Model.Engines;
using Streaming.Model.Fused.Adapters;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Fused;

/// <summary>All device memory of the fused engine: the flat buffers, the arena, the inputs of a micro-batch, the step's scalars.</summary>
internal sealed class FusedBuffers
{
    private const int NormBlocksPerMultiprocessor = 2;

    /// <param name="host">Where offloaded state lies; null offloads nothing.</param>
    /// <param name="frozenHome">Host address of a model that is not trained and stays there; 0 has it on the device.</param>
    public FusedBuffers(CudaDevice device, FusedShape shape, ParameterLayout layout, OptimizerKind optimizer, FusedEngineOptions options, HostState? host, nint frozenHome)
    {
        var (precision, rows, tokens, wideResidual) = (options.Precision, options.Rows, options.Tokens, options.WideResidual);
        var eightBits = precision == Precision.Float8;
        (Positions, RowTokens, Multiprocessors, Recompute) = (rows * tokens, tokens, device.Multiprocessors, options.Recompute);
        Chunk = ChunkFor(Positions, Recompute);
        NormBlocks = NormBlocksFor(device.Multiprocessors);
        Adapters = options.Adapters is { } adapters ? new AdapterLayout(shape, adapters.Lora) : null;
        Plan = PlanFor(shape, Positions, device.Multiprocessors, eightBits, wideResidual, Recompute, Adapters?.Width ?? 0);
        WideResidual = wideResidual;

        var half = precision == Precision.Float16;
        Frozen = Adapters is null ? null : new FrozenWeights(device, layout, half, frozenHome);
        Flat = new FlatBuffers(device, Adapters?.Parameters ?? layout, optimizer, half, host);
        ArenaBytes = Math.Max(Plan.Bytes, FusedOptimizer.ScratchBytes(Adapters?.Parameters ?? layout, optimizer, Plan.Bytes));
        Arena = device.Allocate(ArenaBytes, $"the activations of {rows} x {tokens} tokens");
        if (host is { Level: OffloadLevel.Optimizer }) UpdateSlots = device.Allocate(options.UpdateSlots * Offloading.SlotBytes, "the optimiser's state as it travels");
        Rotary = device.Allocate((long)tokens * shape.HeadSize * sizeof(float), "rotary angles");

        EightBits = eightBits ? new EightBitOperands(device, shape, layout) : null;
        Input = new InputLayout(Positions);
        InputBase = device.Allocate(Input.Bytes, "token ids");
        UploadAngles(device, shape, tokens);
        device.Clear(InputBase, Input.Bytes);
        device.Synchronize();
    }

    public int Positions { get; }
    public int RowTokens { get; }
    public int Multiprocessors { get; }

    /// <summary>Positions whose logits exist at once.</summary>
    public int Chunk { get; }

    /// <summary>What the backward pass computes again.</summary>
    public Recomputation Recompute { get; }

    public int NormBlocks { get; }
    public ActivationPlan Plan { get; }
    public InputLayout Input { get; }

    /// <summary>Scales and 8-bit weights; null in 16-bit training.</summary>
    public EightBitOperands? EightBits { get; }

    /// <summary>What is trained: the model, or its adapters.</summary>
    public FlatBuffers Flat { get; }

    /// <summary>The model, where its adapters are trained.</summary>
    public FrozenWeights? Frozen { get; }

    /// <summary>Where those lie; null where the model itself is trained.</summary>
    public AdapterLayout? Adapters { get; }

    /// <summary>The model's weights.</summary>
    public IModelWeights Weights => Frozen is null ? Flat : Frozen;

    /// <summary>The residual stream is float32.</summary>
    public bool WideResidual { get; }

    public nint Arena { get; }

    /// <summary>Size of the arena: what activations need, or the optimiser where that is more.</summary>
    public long ArenaBytes { get; }

    /// <summary>Rooms for pieces of the optimiser's state, where they have memory of their own.</summary>
    public nint UpdateSlots { get; }

    public nint InputBase { get; }
    private nint Rotary { get; }

    public nint Cosine => Rotary;
    public nint Sine { get; private set; }
    public nint LossScale => Flat.Scalars;
    public nint LossWeight => Flat.Scalars + StepScalars.LossWeightOffset;
    public nint Loss => Flat.Scalars + StepScalars.LossOffset;
    public nint Tokens => InputBase + Input.Tokens;
    public nint Labels => InputBase + Input.Labels;
    public nint Order => InputBase + Input.Order;
    public nint Begin => InputBase + Input.Begin;
    public nint RunToken => InputBase + Input.RunToken;
    public nint Slot => InputBase + Input.Slot;
    public nint JoinBegin => InputBase + Input.JoinBegin;
    public nint JoinToken => InputBase + Input.JoinToken;
    public nint Counts => InputBase + Input.Counts;
    public nint Boundaries => InputBase + Input.Boundaries;

    internal static ActivationPlan PlanFor(FusedShape shape, int positions, int multiprocessors, bool eightBits, bool wideResidual, Recomputation recompute, int adapterWidth = 0) =>
        new(shape, positions, ChunkFor(positions, recompute), NormBlocksFor(multiprocessors), EmbeddingPlan.MaximalSlots(positions), eightBits, wideResidual, recompute, adapterWidth);

    // Where layers are computed again memory is scarce.
    private static int ChunkFor(int positions, Recomputation recompute) =>
        Math.Min(positions, Math.Clamp(positions / (recompute >= Recomputation.Layer ? 4 : 2), 1024, 8192));

    private static int NormBlocksFor(int multiprocessors) => multiprocessors * NormBlocksPerMultiprocessor;

    private void UploadAngles(CudaDevice device, FusedShape shape, int tokens)
    {
        var (cosine, sine) = RotaryAngles.Table(shape.Model.RopeTheta, shape.HeadSize, tokens);
        Sine = Rotary + cosine.Length * sizeof(float);
        device.Upload<float>(Cosine, cosine);
        device.Upload<float>(Sine, sine);
    }
}

/// <summary>
/// One upload a micro-batch: token ids, labels, the order in which the embedding's gradient is summed, where documents begin. Byte offsets.
/// </summary>
internal sealed class InputLayout
{
    public InputLayout(int positions)
    {
        Tokens = Take(positions);
        Labels = Take(positions);
        Order = Take(positions);
        Begin = Take(EmbeddingPlan.MaximalRuns(positions) + 1);
        RunToken = Take(EmbeddingPlan.MaximalRuns(positions));
        Slot = Take(EmbeddingPlan.MaximalRuns(positions));
        JoinBegin = Take(EmbeddingPlan.MaximalJoins(positions) + 1);
        JoinToken = Take(EmbeddingPlan.MaximalJoins(positions));
        Counts = Take(2);
        Boundaries = Take(positions + 1);
    }

    public int Tokens { get; }
    public int Labels { get; }
    public int Order { get; }
    public int Begin { get; }
    public int RunToken { get; }
    public int Slot { get; }
    public int JoinBegin { get; }
    public int JoinToken { get; }
    public int Counts { get; }

    /// <summary>Documents' starts and the end, filled up with the end: empty documents.</summary>
    public int Boundaries { get; }

    public int Bytes { get; private set; }

    private int Take(int count)
    {
        var offset = Bytes;
        Bytes += (count * sizeof(int) + 15) / 16 * 16;
        return offset;
    }
}
