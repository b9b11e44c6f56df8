using Streaming.Streams.Compression;

namespace Streaming.Streams.Sources;

/// <summary>How long the text of a file is, told without unpacking it.</summary>
internal static class TextLength
{
    /// <summary>
    /// Uncompressed bytes: of plain files their own, of xz by its indexes, of zstd on this machine by its frames. Null where
    /// the format does not tell (gzip, bzip2, zstd written from a pipe), where an index is damaged, and where an archive
    /// cannot be sought in.
    /// </summary>
    /// <exception cref="SourceException">The file cannot be opened.</exception>
    public static long? Of(SourceFile file)
    {
        if (file.Length is null)
            return null;
        using var bytes = file.Open();
        try
        {
            return CompressionFormats.Detect(new InputBuffer(bytes)) switch
            {
                CompressionFormat.Plain => file.Length,
                _ when !bytes.CanSeek => null,
                CompressionFormat.Xz => XzIndex.Read(bytes)?.UncompressedLength,
                // Its frames are found by going from block to block, which over a network would take for ever.
                CompressionFormat.Zstandard when bytes is FileStream => ZstandardFrames.Length(bytes),
                _ => null,
            };
        }
        catch (InvalidDataException exception)
        {
            throw SourceText.Unreadable(file, default, exception);
        }
    }
}
