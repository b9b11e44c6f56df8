using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Generation.Cuda;

/// <summary>Where everything of a decoder lies on the device: weights, slots, the arrays of a pass. Shapes as in <c>decode_pass.cuh</c>.</summary>
internal sealed class DecoderBuffers
{
    /// <param name="device">Takes the memory.</param>
    /// <param name="shape">The model.</param>
    /// <param name="layout">Where each weight lies.</param>
    /// <param name="slots">Sequences; one more, which nobody reads, takes what fills passes up.</param>
    /// <param name="context">Tokens of a slot.</param>
    /// <param name="tokens">Tokens of a pass at most.</param>
    /// <param name="logitRows">Rows of logits that exist at once.</param>
    public DecoderBuffers(IDeviceMemory device, FusedShape shape, ParameterLayout layout, int slots, int context, int tokens, int logitRows)
    {
        (Context, LogitRows) = (context, logitRows);
        LayerBytes = (slots + 1L) * context * shape.KeyValueWidth * sizeof(ushort);
        Weights = device.Allocate(layout.Count * sizeof(ushort), "the weights");
        Keys = device.Allocate(shape.Layers * LayerBytes, $"the keys of {slots} texts of {context} tokens");
        Values = device.Allocate(shape.Layers * LayerBytes, $"the values of {slots} texts of {context} tokens");
        Cosine = device.Allocate((long)context * shape.HeadSize / 2 * sizeof(float), "rotary angles");
        Sine = device.Allocate((long)context * shape.HeadSize / 2 * sizeof(float), "rotary angles");

        nint Take(long values, int size) => device.Allocate(values * size, $"a pass of {tokens} tokens");
        Rows = Take((long)tokens * RowIntegers, sizeof(int));
        Residual = Take((long)tokens * shape.Hidden, sizeof(float));
        Normed = Take((long)Math.Max(tokens, logitRows) * shape.Hidden, sizeof(ushort));
        Packed = Take((long)tokens * shape.PackedWidth, sizeof(ushort));
        Queries = Take((long)tokens * shape.QueryWidth, sizeof(float));
        var parts = (long)Math.Max(tokens, MaximalSplits) * shape.Heads;
        Partial = Take(parts * shape.HeadSize, sizeof(float));
        Statistics = Take(parts * 2, sizeof(float));
        Attended = Take((long)tokens * shape.QueryWidth, sizeof(ushort));
        GateUp = Take(2L * tokens * shape.Intermediate, sizeof(ushort));
        Activated = Take((long)tokens * shape.Intermediate, sizeof(ushort));
        Logits = Take((long)logitRows * shape.VocabularyPadded, sizeof(float));
        Best = Take(logitRows, sizeof(int));
        UploadAngles(device, shape, context);
    }

    private const int MaximalSplits = 8;

    /// <summary>Bytes of one sequence's keys and values.</summary>
    public static long SlotBytes(FusedShape shape, int context) => 2L * shape.Layers * context * shape.KeyValueWidth * sizeof(ushort);

    public int Context { get; }
    public int LogitRows { get; }

    /// <summary>Bytes of one layer's keys, or values, of all slots.</summary>
    public long LayerBytes { get; }

    public nint Weights { get; }
    public nint Keys { get; }
    public nint Values { get; }
    public nint Cosine { get; }
    public nint Sine { get; }
    public nint Residual { get; }
    public nint Normed { get; }
    public nint Packed { get; }
    public nint Queries { get; }
    public nint Partial { get; }
    public nint Statistics { get; }
    public nint Attended { get; }
    public nint GateUp { get; }
    public nint Activated { get; }

    /// <summary>(<see cref="LogitRows"/>, padded vocabulary) float32.</summary>
    public nint Logits { get; }

    public nint Best { get; }

    /// <summary>What is uploaded for a pass: a <c>PassRow</c> a token.</summary>
    public nint Rows { get; }

    /// <summary>Integers of a <c>PassRow</c>: a token, its slot and position there; and which token the row of logits of this index scores.</summary>
    public const int RowIntegers = 4;

    /// <summary>Parts of each sequence that attention takes apart, so that few tokens fill the GPU.</summary>
    public static int Splits(int tokens) => Math.Max(1, MaximalSplits / tokens);

    private void UploadAngles(IDeviceMemory device, FusedShape shape, int context)
    {
        var (cosine, sine) = RotaryAngles.Table(shape.Model.RopeTheta, shape.HeadSize, context);
        device.Upload<float>(Cosine, cosine);
        device.Upload<float>(Sine, sine);
    }
}
