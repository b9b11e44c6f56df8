using Streaming.Streams.Compression;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Records;

/// <summary>Tells what a file holds, by its name and its first bytes.</summary>
internal static class SourceKinds
{
    private const int Prefix = 1024;

    /// <summary>
    /// The kind of a file: what its name says (<c>.jsonl</c>, <c>.ndjson</c>, <c>.parquet</c>, <c>.xml</c>, <c>.txt</c>, each
    /// compressed or not), what its first bytes are (Parquet's magic number, a MediaWiki export, an object in a file of
    /// another name), lines otherwise. What can be read once only goes by its name.
    /// </summary>
    /// <exception cref="SourceException">The file cannot be opened, or holds something else than its name says.</exception>
    public static SourceKind Of(SourceFile file, CancellationToken stop = default)
    {
        var name = NameWithoutCompression(file.FileName);
        var extension = Path.GetExtension(name).ToLowerInvariant();
        if (extension is ".jsonl" or ".ndjson")
            return SourceKind.JsonLines;
        if (extension is ".parquet")
            return SourceKind.Parquet;
        if (file.Length is null or 0) // a pipe has no bytes yet, and would be waited for
            return extension is ".xml" ? SourceKind.Wikipedia : SourceKind.Lines;
        var start = ReadStart(file, stop, out var isParquet);
        if (isParquet)
            return SourceKind.Parquet;
        if (start.IndexOf("<mediawiki"u8) >= 0)
            return SourceKind.Wikipedia;
        if (extension is ".xml" && start.Length > 0)
            throw new SourceException($"{file.Name} is no MediaWiki export; name the kind of the source, or take the file out.");
        if (extension is ".json" && start is [(byte)'[', ..])
            throw new SourceException($"{file.Name} is one JSON array; write it as JSON Lines, an object a line.");
        return extension is not ".txt" && start is [(byte)'{', ..] && start[1..].TrimStart(" \t"u8) is [(byte)'"', ..] ? SourceKind.JsonLines : SourceKind.Lines;
    }

    private static string NameWithoutCompression(string name)
    {
        while (Path.GetExtension(name).ToLowerInvariant() is ".xz" or ".bz2" or ".gz" or ".zst")
            name = Path.GetFileNameWithoutExtension(name);
        return name;
    }

    /// <summary>The first bytes of the text, from the first that is no space on; none where the file is damaged, or Parquet.</summary>
    public static ReadOnlySpan<byte> ReadStart(SourceFile file, CancellationToken stop, out bool isParquet)
    {
        using var bytes = file.Open(stop);
        isParquet = false;
        try
        {
            var input = new InputBuffer(bytes, 1 << 14);
            isParquet = input.Peek(4).SequenceEqual("PAR1"u8);
            if (isParquet)
                return [];
            using var text = CompressionFormats.Open(input, CompressionFormats.Detect(input));
            var start = new byte[Prefix];
            var read = text.ReadAtLeast(start, Prefix, throwOnEndOfStream: false);
            ReadOnlySpan<byte> found = start.AsSpan(0, read);
            return (found is [0xEF, 0xBB, 0xBF, ..] ? found[3..] : found).TrimStart(" \t\r\n"u8);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or ZstdSharp.ZstdException)
        {
            return []; // reading tells of the damage
        }
    }
}
