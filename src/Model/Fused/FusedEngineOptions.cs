using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Fused;

/// <summary>What the fused engine is built for.</summary>
/// <param name="Rows">Sequences a micro-batch.</param>
/// <param name="Tokens">Tokens a sequence.</param>
/// <param name="Device">GPU index.</param>
/// <param name="Deterministic">Two runs agree to the last bit; costs a little speed.</param>
/// <param name="KernelCache">Folder of compiled kernels.</param>
/// <param name="Precision">bf16, fp16, or fp8, which needs compute capability 8.9.</param>
/// <param name="WideResidual">The residual stream and its gradient are float32, as in Transformers under autocast, instead of 16 bits.</param>
/// <param name="Offload">What of the training state lives in host memory.</param>
/// <param name="Recompute">What the backward pass computes again.</param>
/// <param name="Adapters">What is trained instead of the model; null trains that.</param>
/// <param name="UpdateSlots">Rooms of device memory through which the optimiser's state travels; the more, the more of it comes in before it is needed.</param>
public sealed record FusedEngineOptions(
    int Rows, int Tokens, int Device, bool Deterministic, string KernelCache, Precision Precision = Precision.BFloat16, bool WideResidual = false,
    OffloadLevel Offload = OffloadLevel.None, Recomputation Recompute = Recomputation.None, AdapterSet? Adapters = null, int UpdateSlots = Offloading.LeastSlots)
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
        var offload = Offload switch
        {
            OffloadLevel.Optimizer => ", optimiser state in host memory",
            OffloadLevel.Parameters => ", parameters and optimiser state in host memory",
            _ => "",
        };
        var recompute = Recompute switch
        {
            Recomputation.Attention => ", attention recomputed",
            Recomputation.Layer => ", layers recomputed",
            Recomputation.Host => ", layers recomputed from host memory",
            _ => "",
        };
        if (Adapters is not null)
            return $"{precision} weights{(WideResidual ? " with float32 residual stream" : "")}, LoRA of {Adapters.Lora.Describe()}, {update}{(Offload == OffloadLevel.Parameters ? ", weights in host memory" : "")}{recompute}";
        return $"{precision} with float32 {(WideResidual ? "residual stream and " : "")}master weights, {update}{offload}{recompute}";
    }
}
