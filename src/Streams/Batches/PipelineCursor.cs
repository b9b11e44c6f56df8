namespace Streaming.Streams.Batches;

/// <summary>Where a stream of batches stands; serialisable to JSON.</summary>
public sealed record PipelineCursor;
