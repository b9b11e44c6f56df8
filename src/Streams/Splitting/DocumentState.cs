namespace Streaming.Streams.Splitting;

/// <summary>How far a document has been read.</summary>
/// <param name="Hash">Of its first line; decides which side of the split it falls on.</param>
/// <param name="Lines">Lines of it so far; 0 between documents.</param>
public readonly record struct DocumentState(ulong Hash, int Lines);
