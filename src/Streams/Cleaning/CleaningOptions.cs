namespace Streaming.Streams.Cleaning;

/// <summary>Rules for lines and documents, and what counts as a duplicate.</summary>
public sealed record CleaningOptions;
