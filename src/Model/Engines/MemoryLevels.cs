namespace Streaming.Model.Engines;

/// <summary>What of a training state lives in page-locked host memory instead of the GPU's (Rajbhandari et al. 2020, Ren et al. 2021).</summary>
public enum OffloadLevel
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Master weights and moments: they travel through the GPU in pieces at each update.</summary>
    Optimizer,

    /// <summary>Weights and gradients too: two layers are on the GPU at a time.</summary>
    Parameters,
}

/// <summary>What of a layer the backward pass computes again instead of finding it in memory (Chen et al. 2016).</summary>
public enum Recomputation
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Queries, keys, values and attention's result.</summary>
    Attention,

    /// <summary>Those, and the feed-forward's two projections: what stays are the norms' two inputs.</summary>
    Layer,

    /// <summary>As <see cref="Layer"/>, and what stays is in page-locked host memory until the backward pass comes to the layer.</summary>
    Host,
}
