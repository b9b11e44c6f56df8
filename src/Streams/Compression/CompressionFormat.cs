namespace Streaming.Streams.Compression;

/// <summary>How a source is compressed. Told by its first bytes, never by its name.</summary>
public enum CompressionFormat { Plain, Gzip, Xz, Bzip2, Zstandard }

/// <summary>Tells formats apart and opens them.</summary>
internal static class CompressionFormats
{
    /// <summary>Bytes that decide.</summary>
    private const int Prefix = 10;

    private const int LargestZstandardWindowBits = 31;

    private static ReadOnlySpan<byte> Bzip2Block => [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
    private static ReadOnlySpan<byte> Bzip2End => [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];

    /// <summary>
    /// The format of a source. Archives that are not read (zip and the like) are refused by name: their bytes would
    /// otherwise pass for text.
    /// </summary>
    /// <exception cref="InvalidDataException">The source is an archive of another kind.</exception>
    public static CompressionFormat Detect(InputBuffer input)
    {
        var start = input.Peek(Prefix);
        if (start is [0x1F, 0x8B, ..])
            return CompressionFormat.Gzip;
        if (start.Length >= 2 && StartsWith(start, XzReadStream.Magic))
            return CompressionFormat.Xz;
        if (start is [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', ..]
            && (StartsWith(start[4..], Bzip2Block) || StartsWith(start[4..], Bzip2End)))
            return CompressionFormat.Bzip2;
        if (start is [0x28, 0xB5, 0x2F, 0xFD, ..] or [>= 0x50 and <= 0x5F, 0x2A, 0x4D, 0x18, ..])
            return CompressionFormat.Zstandard;
        var foreign = start switch
        {
            [(byte)'P', (byte)'K', 3, 4, ..] => "a zip archive",
            [(byte)'7', (byte)'z', 0xBC, 0xAF, 0x27, 0x1C, ..] => "a 7z archive",
            [(byte)'R', (byte)'a', (byte)'r', (byte)'!', 0x1A, 7, ..] => "a rar archive",
            [0x04, 0x22, 0x4D, 0x18, ..] => "compressed by lz4",
            [0x5D, 0, 0, _, _, 0xFF, 0xFF, 0xFF, ..] => "compressed by lzma",
            [0x1F, 0x9D, ..] => "compressed by compress",
            [(byte)'P', (byte)'A', (byte)'R', (byte)'1', 0x15, ..] => "a Parquet file",
            _ => null,
        };
        return foreign is null
            ? CompressionFormat.Plain
            : throw new InvalidDataException($"it is {foreign}, which is not read; give plain text or gzip, xz, bzip2 or zstd");
    }

    /// <summary>Whether a name ends as those of archives do.</summary>
    public static bool IsNamedAsArchive(string name) =>
        Path.GetExtension(name.AsSpan()) is ".xz" or ".bz2" or ".gz" or ".zst" or ".parquet";

    /// <summary>The uncompressed bytes of a source. Disposing them disposes the source.</summary>
    public static Stream Open(InputBuffer input, CompressionFormat format, int workers = 1) => format switch
    {
        CompressionFormat.Gzip => new GzipReadStream(input),
        CompressionFormat.Xz => new XzReadStream(input, workers),
        CompressionFormat.Bzip2 => new Bzip2ReadStream(input, workers),
        CompressionFormat.Zstandard => OpenZstandard(input),
        _ => input,
    };

    private static ZstdSharp.DecompressionStream OpenZstandard(InputBuffer input)
    {
        var stream = new ZstdSharp.DecompressionStream(input, leaveOpen: false);
        stream.SetParameter(ZstdSharp.Unsafe.ZSTD_dParameter.ZSTD_d_windowLogMax, LargestZstandardWindowBits);
        return stream;
    }

    /// <summary>Whether the bytes, of which there may be too few, start with the magic number as far as they go.</summary>
    private static bool StartsWith(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> magic)
    {
        var length = Math.Min(bytes.Length, magic.Length);
        return bytes[..length].SequenceEqual(magic[..length]);
    }
}
