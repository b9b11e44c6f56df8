using Streaming.Streams.Compression;

namespace Streaming.Streams.Sources;

/// <summary>A place between two records of a source: the start of a document, or of one of its parts.</summary>
/// <param name="Epoch">Passes over the source that are complete.</param>
/// <param name="File">Index of the file among those of the source, as listed.</param>
/// <param name="Offset">Bytes of the file before the place, uncompressed.</param>
/// <param name="Record">Records (documents, pages, rows) of the file that begin before the place; the document of a part is one of them.</param>
/// <param name="Line">Lines of the file before the place, where it is made of lines.</param>
/// <param name="Part">Parts of the document before the place; 0 where a document begins.</param>
/// <param name="Hash">Of the first line of the document that goes on here; 0 where a document begins.</param>
/// <param name="Near">In an archive of blocks: where unpacking may begin for this place.</param>
public readonly record struct SourcePosition(long Epoch, int File, long Offset, long Record, long Line, int Part = 0, ulong Hash = 0, SeekPoint Near = default)
{
    /// <summary>The beginning of a file.</summary>
    public static SourcePosition StartOf(long epoch, int file) => new(epoch, file, 0, 0, 0);
}
