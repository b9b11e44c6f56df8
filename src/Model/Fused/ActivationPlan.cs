using Streaming.Model.Engines;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Fused;

/// <summary>
/// One arena for everything that a micro-batch leaves between its passes: what each layer keeps for its backward pass, and scratch that
/// all layers share. Offsets in bytes, 256-byte aligned. Norm outputs and the SwiGLU product are computed again instead of kept; with a
/// wide residual stream, which exists once, the norm outputs are kept in the place of their inputs. Where those are in host memory
/// meanwhile, layers take turns in a few places here.
/// </summary>
public sealed class ActivationPlan
{
    private const long Alignment = 256;

    /// <param name="shape">The model.</param>
    /// <param name="positions">Rows x tokens of a micro-batch: N.</param>
    /// <param name="chunk">Positions whose logits exist at once.</param>
    /// <param name="normBlocks">Blocks of the norms' backward kernel.</param>
    /// <param name="embeddingSlots">Rows of partial sums of the embedding's gradient.</param>
    /// <param name="eightBits">Room for the operands of 8-bit products.</param>
    /// <param name="wideResidual">The residual stream is float32.</param>
    /// <param name="recompute">What the backward pass computes again: layers share the room for it.</param>
    /// <param name="adapterWidth">Columns of what adapters reduce a product's input to; 0 trains the model itself.</param>
    public ActivationPlan(FusedShape shape, int positions, int chunk, int normBlocks, int embeddingSlots, bool eightBits = false, bool wideResidual = false,
        Recomputation recompute = Recomputation.None, int adapterWidth = 0)
    {
        long n = positions;
        KeptBytes = n * shape.Hidden * 2;
        // The last layer's result stays here.
        int? turns = recompute == Recomputation.Host ? StreamedActivations.Slots : null;
        long Kept(long[] places, int layer) => layer >= turns ? places[layer - turns.Value] : Half(n * shape.Hidden);
        Residual = new long[shape.Layers + 1];
        Packed = new long[shape.Layers];
        Middle = new long[shape.Layers];
        GateUp = new long[shape.Layers];
        Residual[0] = Half(n * shape.Hidden);
        for (var i = 0; i < shape.Layers; i++)
        {
            Packed[i] = i > 0 && recompute != Recomputation.None ? Packed[0] : Half(n * shape.PackedWidth);
            Middle[i] = Kept(Middle, i);
            GateUp[i] = i > 0 && recompute >= Recomputation.Layer ? GateUp[0] : Half(n * 2 * shape.Intermediate);
            Residual[i + 1] = i + 1 < shape.Layers ? Kept(Residual, i + 1) : Half(n * shape.Hidden);
        }
        if (wideResidual)
        {
            Stream = Half(n * shape.Hidden);
            StreamLow = Half(n * shape.Hidden);
            NormScales = Take((2L * shape.Layers + 1) * n * sizeof(float));
        }
        else Normalized = Half(n * shape.Hidden);
        Product = Half(n * shape.Intermediate);
        DResidual = Half(n * shape.Hidden);
        DNormalized = Half(n * shape.Hidden);
        DProduct = Half(n * Math.Max(shape.Intermediate, shape.PackedWidth));
        DAttention = Half(n * shape.QueryWidth);
        Logits = Half((long)chunk * shape.VocabularyPadded);
        if (eightBits)
        {
            Normalized8 = Take(n * shape.Hidden);
            Product8 = Take(n * shape.Intermediate);
            DResidual8 = Take(n * shape.Hidden);
            DWide8 = Take(n * Math.Max(2 * shape.Intermediate, shape.PackedWidth));
        }
        Losses = Take(n * sizeof(float));
        Reduced = Half(n * adapterWidth);
        DReduced = Half(n * adapterWidth);
        // Norms and embedding that are not trained leave nothing that anyone reads.
        NormPartialsEach = (long)normBlocks * shape.Hidden * sizeof(float);
        NormPartials = Take((adapterWidth == 0 ? 2L * shape.Layers + 1 : 1) * NormPartialsEach);
        EmbeddingPartials = adapterWidth == 0 ? Take((long)embeddingSlots * shape.Hidden * sizeof(float)) : 0;
    }

    /// <summary>Bytes of one layer's <see cref="Residual"/>, and of its <see cref="Middle"/>.</summary>
    public long KeptBytes { get; }

    /// <summary>Input of each layer, and the last one's output: (N, D); of a wide stream, what the norm there puts out.</summary>
    public long[] Residual { get; }

    /// <summary>Queries, keys and values, turned: (N, (H + 2 G) K).</summary>
    public long[] Packed { get; }

    /// <summary>Residual after attention: (N, D); of a wide stream, what the norm there puts out.</summary>
    public long[] Middle { get; }

    /// <summary>Gate and up projection: (N, 2 F); the backward pass puts its gradient there.</summary>
    public long[] GateUp { get; }

    /// <summary>The wide residual stream, upper and lower halves: (N, D) each. The lower ones become the rest of its gradient.</summary>
    public long Stream { get; }

    public long StreamLow { get; }

    /// <summary>1 / rms of the rows of each norm: (norms, N), float32.</summary>
    public long NormScales { get; }

    /// <summary>Output of the norm at hand: (N, D); there is none with a wide stream.</summary>
    public long Normalized { get; }

    /// <summary>Output of SwiGLU: (N, F).</summary>
    public long Product { get; }

    /// <summary>Gradient of the residual stream: (N, D).</summary>
    public long DResidual { get; }

    /// <summary>Gradient of a norm's output: (N, D); in the forward pass, what a layer's half adds to a wide stream.</summary>
    public long DNormalized { get; }

    /// <summary>Gradient of <see cref="Product"/> (N, F); later of <see cref="Packed"/>.</summary>
    public long DProduct { get; }

    public long DAttention { get; }

    /// <summary>(chunk, V padded), in place their gradient.</summary>
    public long Logits { get; }

    /// <summary>8-bit operands: of the projections behind a norm (N, D), of the down projection (N, F).</summary>
    public long Normalized8 { get; }

    public long Product8 { get; }

    /// <summary>8-bit gradients: of the residual stream (N, D), of gate_up (N, 2 F) or the packed rows.</summary>
    public long DResidual8 { get; }

    public long DWide8 { get; }

    /// <summary>What the adapters of a product reduce its input to, and the gradient of that: (N, adapters x rank) each.</summary>
    public long Reduced { get; }

    public long DReduced { get; }

    public long Losses { get; }

    /// <summary>Bytes of one norm's partial sums.</summary>
    public long NormPartialsEach { get; }

    public long NormPartials { get; }
    public long EmbeddingPartials { get; }

    /// <summary>Size of the arena.</summary>
    public long Bytes { get; private set; }

    private long Half(long values) => Take(values * 2);

    private long Take(long bytes)
    {
        var offset = Bytes;
        Bytes += (bytes + Alignment - 1) / Alignment * Alignment;
        return offset;
    }
}
