namespace Streaming.Model.Engines;

/// <summary>How weights are updated: AdamW (Loshchilov and Hutter 2019, decoupled decay), clipping by global norm.</summary>
public sealed record OptimizerOptions
{
    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.95;
    public double Epsilon { get; init; } = 1e-8;
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Which parameters decay: every one (the recipe), or matrices only (no norm weights).</summary>
    public DecayTarget Decay { get; init; } = DecayTarget.All;

    /// <summary>Global gradient norm above which gradients are scaled down; 0 never clips.</summary>
    public double MaxGradientNorm { get; init; } = 1.0;
}

public enum DecayTarget { All, Matrices }

/// <summary>What activations and products are computed in; master weights, gradients and moments are float32 always.</summary>
public enum Precision
{
    Float32,
    BFloat16,

    /// <summary>bf16 with fp8 operands for most products of the layers (fused engine, compute capability 8.9 and later).</summary>
    Float8,
}
