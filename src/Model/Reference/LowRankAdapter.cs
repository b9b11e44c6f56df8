using Streaming.Model.Adapters;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Streaming.Model.Reference;

// Shapes: R rank, D inputs, O outputs.

/// <summary>What a matrix's adapter adds (Hu et al. 2021): <c>scale B (A dropout(x))</c>, as PEFT's <c>LoraLayer</c> computes it.</summary>
internal sealed class LowRankAdapter : IDisposable
{
    private readonly Scalar _scale;
    private readonly AdapterDropout? _dropout;

    /// <param name="dropout">All adapters'; null leaves nothing out.</param>
    public LowRankAdapter(AdaptedMatrix matrix, LoraOptions lora, ScalarType type, Device device, AdapterDropout? dropout)
    {
        A = Weights.New([.. matrix.A.Shape], type, device);
        B = Weights.New([.. matrix.B.Shape], type, device);
        (_scale, _dropout) = (lora.Scale.ToScalar(), dropout);
    }

    public Parameter A { get; } // (R, D)

    public Parameter B { get; } // (O, R)

    public Tensor Forward(Tensor x)
    {
        using var temporaries = NewDisposeScope();
        var kept = _dropout?.Apply(x) ?? x;
        var added = nn.functional.linear(nn.functional.linear(kept, A), B).mul(_scale).MoveToOuterDisposeScope();
        GC.KeepAlive(this);
        return added;
    }

    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
        _scale.Dispose();
    }
}
