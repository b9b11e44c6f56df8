using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Streaming.Model.Reference;

// Shapes: B rows, T tokens, D model width, O outputs, V vocabulary.

/// <summary>
/// Addition through numbers that live as long as the process. <c>tensor + tensor</c> makes a temporary <see cref="Scalar"/>
/// inside TorchSharp, which the garbage collector may free while the native call reads it.
/// </summary>
internal static class Addition
{
    private static readonly Scalar One = 1.ToScalar();

    public static Tensor Plus(this Tensor left, Tensor right) => left.add(right, One);

    public static Tensor Plus(this Tensor left, Scalar right) => left.add(right, One);

    public static void AddInPlace(this Tensor target, Tensor summand) => target.add_(summand, One);

    public static void AddInPlace(this Tensor target, Scalar summand) => target.add_(summand, One);
}

internal static class Weights
{
    /// <summary>A parameter that no dispose scope owns; its module disposes it.</summary>
    public static Parameter New(long[] shape, ScalarType type, Device device) =>
        (Parameter)nn.Parameter(empty(shape, type, device)).DetachFromDisposeScope();
}

/// <summary>A matrix without bias: <c>y = x Wᵀ</c>.</summary>
internal sealed class Projection : nn.Module<Tensor, Tensor>
{
    public Parameter weight; // (O, D)

    /// <summary>What is added to it; no part of this module, and whoever sets it disposes it.</summary>
    public LowRankAdapter? Adapter { get; set; }

    public Projection(long outputs, long inputs, ScalarType type, Device device) : base(nameof(Projection))
    {
        weight = Weights.New([outputs, inputs], type, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        if (Adapter is null)
            return nn.functional.linear(x, weight);
        using var temporaries = NewDisposeScope();
        return nn.functional.linear(x, weight).Plus(Adapter.Forward(x)).MoveToOuterDisposeScope();
    }
}

/// <summary>Looks token ids up. The padding token's row receives no gradient, as in Transformers.</summary>
internal sealed class TokenEmbedding : nn.Module<Tensor, Tensor>
{
    public Parameter weight; // (V, D)

    private readonly Embedding _lookup;

    public TokenEmbedding(MistralConfig config, ScalarType type, Device device) : base(nameof(TokenEmbedding))
    {
        weight = Weights.New([config.VocabularySize, config.HiddenSize], type, device);
        register_parameter("weight", weight);
        _lookup = nn.Embedding_from_pretrained(weight, freeze: false, padding_idx: config.PadTokenId, device: device, dtype: type); // over the same memory
    }

    public override Tensor forward(Tensor ids_BT) => _lookup.forward(ids_BT);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _lookup.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>RMSNorm (Zhang and Sennrich 2019): computed in float32, scaled in the model's type, as in Transformers.</summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>
{
    private static readonly long[] LastDimension = [-1];

    public Parameter weight; // (D)

    private readonly Scalar _epsilon;

    public RmsNorm(MistralConfig config, ScalarType type, Device device) : base(nameof(RmsNorm))
    {
        weight = Weights.New([config.HiddenSize], type, device);
        _epsilon = config.RmsNormEpsilon.ToScalar();
        RegisterComponents();
    }

    public override Tensor forward(Tensor x_BTD)
    {
        using var temporaries = NewDisposeScope();
        var wide = x_BTD.to(ScalarType.Float32);
        var meanSquare = wide.mul(wide).mean(LastDimension, keepdim: true);
        var normed = wide.mul(meanSquare.Plus(_epsilon).rsqrt()).to(x_BTD.dtype);
        return weight.mul(normed).MoveToOuterDisposeScope();
    }
}
