using Streaming.Streams.Compression;

namespace Streaming.Streams.Sources;

/// <summary>Finds how long a file's text is without reading it.</summary>
internal static class SourceLength
{
    /// <summary>
    /// Uncompressed bytes of a file that can be sought in: plain, xz (from its index), and zstd on this machine where every
    /// frame states its length. Null where it is not known: gzip, bzip2, standard input, a damaged archive.
    /// </summary>
    /// <exception cref="SourceException">The file cannot be opened.</exception>
    public static long? Of(SourceFile file, CancellationToken stop = default)
    {
        if (file.Length is null)
            return null;
        using var bytes = file.Open(stop);
        if (!bytes.CanSeek)
            return null;
        try
        {
            return CompressionFormats.Detect(new InputBuffer(bytes)) switch
            {
                CompressionFormat.Plain => bytes.Length,
                CompressionFormat.Xz => XzIndex.Read(bytes)?.UncompressedLength,
                CompressionFormat.Zstandard when bytes is FileStream => ZstandardFrames.Length(bytes),
                _ => null,
            };
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }
}
