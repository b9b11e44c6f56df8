namespace Streaming.Hosting.Metrics;

/// <summary>Where the metrics are served.</summary>
/// <param name="Enabled">False serves nothing.</param>
/// <param name="Host">IP address, <c>localhost</c>, or <c>*</c> for every address.</param>
/// <param name="Port">TCP port; 0 takes a free one.</param>
internal sealed record MetricsOptions(bool Enabled, string Host, int Port);
