using Streaming.Model.Engines;

namespace Streaming.Model.Fused;

/// <summary>What the fused engine is built for.</summary>
/// <param name="Rows">Sequences a micro-batch.</param>
/// <param name="Tokens">Tokens a sequence.</param>
/// <param name="Device">GPU index.</param>
/// <param name="Deterministic">Two runs agree to the last bit; costs a little speed.</param>
/// <param name="KernelCache">Folder of compiled kernels.</param>
/// <param name="Precision">bf16, fp16, or fp8, which needs compute capability 8.9.</param>
/// <param name="WideResidual">The residual stream and its gradient are float32, as in Transformers under autocast, instead of 16 bits.</param>
public sealed record FusedEngineOptions(
    int Rows, int Tokens, int Device, bool Deterministic, string KernelCache, Precision Precision = Precision.BFloat16, bool WideResidual = false)
{
    /// <summary>Formats and optimiser in words: <c>bf16 with float32 residual stream and master weights, AdamW</c>.</summary>
    internal string Describe(OptimizerKind optimizer)
    {
        var precision = Precision switch
        {
            Precision.Float8 => "fp8 and bf16",
            Precision.Float16 => "fp16",
            _ => "bf16",
        };
        var update = optimizer switch
        {
            OptimizerKind.AdamW8Bit => "AdamW with moments of 8 bits",
            OptimizerKind.Muon => "Muon and AdamW",
            _ => "AdamW",
        };
        return $"{precision} with float32 {(WideResidual ? "residual stream and " : "")}master weights, {update}";
    }
}
