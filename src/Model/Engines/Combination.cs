using Streaming.Model.Adapters;

namespace Streaming.Model.Engines;

/// <summary>Which settings no engine computes together: known before anything of a run is touched.</summary>
/// <param name="Optimizer">What updates weights.</param>
/// <param name="Precision">What is computed in; null where the device decides between float32 and bf16.</param>
/// <param name="WideResidual">The residual stream is float32.</param>
/// <param name="Offload">What lives in host memory; null where the planner chooses of what is possible.</param>
/// <param name="Recompute">What the backward pass computes again; likewise.</param>
/// <param name="Lora">Adapters to train instead of the model.</param>
public sealed record Combination(
    OptimizerKind Optimizer, Precision? Precision, bool WideResidual, OffloadLevel? Offload, Recomputation? Recompute, LoraOptions? Lora = null)
{
    /// <summary>Why not, in a sentence that names the keys and what to set them to; null where all can.</summary>
    public string? WhyNot => Lora is not null ? WithAdapters
        : Offload is OffloadLevel.Optimizer or OffloadLevel.Parameters && Optimizer == OptimizerKind.Muon
            ? "training.offload moves AdamW's state, and training.optimizer = muon updates whole matrices: set training.optimizer = adamw or adamw-8bit, or training.offload = none"
        : Offload == OffloadLevel.Parameters && Precision == Engines.Precision.Float8
            ? "training.offload = parameters streams weights of 16 bits, and torch.precision is fp8: set torch.precision = bf16, or training.offload = optimizer"
        : Kept;

    private string? WithAdapters =>
        Offload == OffloadLevel.Optimizer
            ? "training.lora leaves no optimiser state to offload, because only adapters have moments: set training.offload = none, or parameters, which has the model in host memory"
        : Optimizer != OptimizerKind.AdamW
            ? $"training.lora trains adapters with float32 moments, and training.optimizer is {(Optimizer == OptimizerKind.Muon ? "muon" : "adamw-8bit")}: set training.optimizer = adamw"
        : Precision == Engines.Precision.Float8
            ? "training.lora adds to products of 16 bits, and torch.precision is fp8: set torch.precision = bf16"
        : Kept;

    private string? Kept => Recompute is not (null or Recomputation.None) && Precision == Engines.Precision.Float8 && WideResidual
        ? "training.recompute in torch.precision = fp8 needs the norms' inputs, which a float32 residual stream does not keep: set torch.residual = bf16, or torch.precision = bf16"
        : null;
}
