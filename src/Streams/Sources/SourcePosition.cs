namespace Streaming.Streams.Sources;

/// <summary>A place between two lines of the text.</summary>
/// <param name="Epoch">Passes over the sources that are complete.</param>
/// <param name="File">Index of the file among the sources.</param>
/// <param name="Offset">Bytes of the file before the place, uncompressed.</param>
/// <param name="Line">Lines of the file before the place.</param>
public readonly record struct SourcePosition(long Epoch, int File, long Offset, long Line);
