namespace Streaming.Streams.Sources;

/// <summary>
/// A source does not give its bytes for now: a server that did not answer as often as was tried, a disk or a network file system with
/// an error. What was read before is sound, and a later try may succeed.
/// </summary>
public sealed class SourceOutageException(string message, Exception cause) : SourceException(message, cause);
