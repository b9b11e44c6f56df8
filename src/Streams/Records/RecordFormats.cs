using Streaming.Streams.Instructions;
using Streaming.Streams.Sources;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Records;

/// <summary>Finds the format of a file.</summary>
internal static class RecordFormats
{
    /// <summary>The format of one file of a source.</summary>
    /// <param name="instructions">How records of instructions are read; null where the source holds text.</param>
    /// <exception cref="SourceException">The kind cannot be told.</exception>
    public static IRecordFormat Of(SourceFile file, SourceOptions source, InstructionOptions? instructions = null) =>
        instructions is null ? OfText(file, source) : InstructionFormat.Of(file, source, instructions);

    private static IRecordFormat OfText(SourceFile file, SourceOptions source) => (source.Kind == SourceKind.Auto ? SourceKinds.Of(file) : source.Kind) switch
    {
        SourceKind.Lines => LineFormat.Instance,
        SourceKind.JsonLines => new JsonLinesFormat(source.TextField),
        SourceKind.Parquet => new ParquetFormat(source.TextField),
        // Rules of the source's own decide which lines are too short; the recipe's does where there are none.
        SourceKind.Wikipedia => new WikipediaFormat(new WikitextOptions { MinimumLineCharacters = source.Cleaning is null ? LineRules.RecipeMinimumCharacters : 0 }),
        var kind => throw new InvalidOperationException($"no format of kind {kind}"),
    };
}
