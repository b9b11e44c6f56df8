namespace Streaming.Hosting.Http;

/// <summary>Where HTTP is served, and what the sentences about it name.</summary>
/// <param name="Host">IP address, <c>localhost</c>, or <c>*</c> for every address.</param>
/// <param name="Port">TCP port; 0 takes a free one.</param>
/// <param name="HostName">What sets <paramref name="Host"/>: <c>streaming.metrics.host</c>.</param>
/// <param name="PortName">What sets <paramref name="Port"/>.</param>
/// <param name="Remedy">What to do where the port cannot be opened: <c>set … to a free one</c>.</param>
internal sealed record HttpEndpoint(string Host, int Port, string HostName, string PortName, string Remedy);
