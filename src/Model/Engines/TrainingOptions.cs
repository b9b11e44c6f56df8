namespace Streaming.Model.Engines;

/// <summary>How weights are updated, after clipping by global norm; decay is decoupled (Loshchilov and Hutter 2019).</summary>
public sealed record OptimizerOptions
{
    public OptimizerKind Kind { get; init; } = OptimizerKind.AdamW;

    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.95;
    public double Epsilon { get; init; } = 1e-8;
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Which parameters decay: every one (the recipe), or matrices only (no norm weights).</summary>
    public DecayTarget Decay { get; init; } = DecayTarget.All;

    /// <summary>Global gradient norm above which gradients are scaled down; 0 never clips.</summary>
    public double MaxGradientNorm { get; init; } = 1.0;
}

/// <summary>What turns gradients into updates.</summary>
public enum OptimizerKind
{
    /// <summary>AdamW with float32 moments: 8 bytes a parameter.</summary>
    AdamW,

    /// <summary>
    /// AdamW whose moments are rounded to 8 bits in blocks of 256 (Dettmers et al. 2022), 2.03 bytes a parameter; those of the
    /// token embedding and of the norms stay in float32, as that paper advises and bitsandbytes does.
    /// </summary>
    AdamW8Bit,

    /// <summary>
    /// Muon (Jordan et al. 2024) for the layers' matrices: float32 momentum alone, 4 bytes a parameter, and updates as large as AdamW's
    /// (0.2 root mean square, Liu et al. 2025), so that AdamW's learning rate and decay fit; AdamW for embedding, head and norms.
    /// </summary>
    Muon,
}

public enum DecayTarget { All, Matrices }

/// <summary>What activations and products are computed in; master weights, gradients and moments are float32 always.</summary>
public enum Precision
{
    Float32,
    BFloat16,

    /// <summary>IEEE half precision; the loss is scaled against underflow (<see cref="LossScaling"/>).</summary>
    Float16,

    /// <summary>bf16 with fp8 operands for most products of the layers (fused engine, compute capability 8.9 and later).</summary>
    Float8,
}
