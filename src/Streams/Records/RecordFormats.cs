using Streaming.Streams.Sources;

namespace Streaming.Streams.Records;

/// <summary>Finds the format of a file.</summary>
internal static class RecordFormats
{
    /// <summary>The format of one file of a source.</summary>
    /// <exception cref="SourceException">The kind is not read, or cannot be told.</exception>
    public static IRecordFormat Of(SourceFile file, SourceOptions source) => (source.Kind == SourceKind.Auto ? SourceKinds.Of(file) : source.Kind) switch
    {
        SourceKind.Lines => LineFormat.Instance,
        SourceKind.JsonLines => new JsonLinesFormat(source.TextField),
        SourceKind.Parquet => new ParquetFormat(source.TextField),
        var kind => throw new SourceException($"{file.Name} is {kind}, which is not read; give lines of text."),
    };
}
