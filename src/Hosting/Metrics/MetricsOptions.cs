namespace Streaming.Hosting.Metrics;

/// <summary>Where the metrics are served, and what they tell.</summary>
/// <param name="Enabled">False serves nothing.</param>
/// <param name="Host">IP address, <c>localhost</c>, or <c>*</c> for every address.</param>
/// <param name="Port">TCP port; 0 takes a free one.</param>
internal sealed record MetricsOptions(bool Enabled, string Host, int Port)
{
    /// <summary>Which GPUs are watched.</summary>
    public GpuChoice Gpus { get; init; }

    /// <summary>What the device computes at most, operations a second; null knows it by the GPU's name.</summary>
    public double? PeakFlops { get; init; }
}

internal enum GpuChoice
{
    /// <summary>The one that the run computes on.</summary>
    Own,
    All,
    None,
}
