using Streaming.Streams.Sources;

namespace Streaming.Streams.Batches;

/// <summary>Fits a cursor to the options of the run that goes on from it.</summary>
internal static class StartingPoint
{
    /// <summary>
    /// Where each source of the options begins: at the cursor's place, or at its beginning where it is new. A source that
    /// had ended goes on where it may be read more often now. Mixing counts anew where sources, weights or block size
    /// have changed.
    /// </summary>
    /// <exception cref="SourceException">The files of a source are others than when the cursor was made.</exception>
    public static PipelineCursor Of(PipelineOptions options, TextIdentity text, IReadOnlyList<SourceFiles> files, PipelineCursor? cursor)
    {
        var sources = options.Sources.Select((source, index) => Begin(source, files[index], cursor?.Find(source.Name))).ToList();
        var goesOn = cursor is not null && cursor.BlockSize == options.BlockSize
            && cursor.Sources.Select(State).SequenceEqual(sources.Select((source, index) => State(source with { Weight = options.Sources[index].Weight })));
        return new PipelineCursor
        {
            Text = text,
            BlockSize = options.BlockSize,
            Sources = goesOn ? sources : [.. sources.Select((source, index) => source with { Weight = options.Sources[index].Weight, BlocksMixed = 0 })],
        };

        static (string, double, int?) State(SourceCursor source) => (source.Name, source.Weight, source.EndedAfter);
    }

    private static SourceCursor Begin(SourceOptions source, SourceFiles files, SourceCursor? cursor)
    {
        if (cursor is null)
            return SourceCursor.AtStart(source, files);
        cursor.Verify(source, files);
        return cursor with { EndedAfter = source.Epochs > 0 && source.Epochs <= cursor.EndedAfter ? cursor.EndedAfter : null };
    }
}
