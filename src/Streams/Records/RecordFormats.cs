using Streaming.Streams.Sources;

namespace Streaming.Streams.Records;

/// <summary>Finds the format of a file.</summary>
internal static class RecordFormats
{
    /// <summary>The format of one file of a source.</summary>
    /// <exception cref="SourceException">The kind is not read.</exception>
    public static IRecordFormat Of(SourceFile file, SourceOptions source) => KindOf(file, source.Kind) switch
    {
        SourceKind.Lines => LineFormat.Instance,
        var kind => throw new SourceException($"{file.Name} is {kind}, which is not read; give lines of text."),
    };

    private static SourceKind KindOf(SourceFile file, SourceKind kind)
    {
        if (kind != SourceKind.Auto)
            return kind;
        var name = file.Path.AsSpan();
        foreach (var compression in new[] { ".xz", ".bz2", ".gz", ".zst" })
        {
            if (name.EndsWith(compression, StringComparison.OrdinalIgnoreCase))
                name = name[..^compression.Length];
        }
        return Path.GetExtension(name) switch
        {
            ".jsonl" or ".ndjson" => SourceKind.JsonLines,
            ".parquet" => SourceKind.Parquet,
            ".xml" => SourceKind.Wikipedia,
            _ => SourceKind.Lines,
        };
    }
}
