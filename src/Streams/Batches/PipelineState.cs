using Streaming.Streams.Documents;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Batches;

/// <summary>State of a stream at a cursor that is too large for the cursor: a file beside it.</summary>
/// <param name="Name">Of the file, without a folder.</param>
/// <param name="Write">Writes the file; may be called on any thread while the stream runs on.</param>
public sealed record PipelineState(string Name, Action<Stream> Write)
{
    internal static IReadOnlyList<PipelineState> Of(PipelineCursor cursor, IReadOnlyList<SourceStages> sources)
    {
        var states = new List<PipelineState>();
        for (var index = 0; index < sources.Count; index++)
        {
            if (sources[index].StateAt(cursor.Sources[index]) is { } write)
                states.Add(new PipelineState(FileOf(index), write));
        }
        return states;
    }

    /// <summary>Where the state of a source lies that was written with a cursor; null where none was.</summary>
    internal static string? Find(PipelineCursor? cursor, string source, string? folder)
    {
        var stored = cursor?.Sources.TakeWhile(other => other.Name != source).Count();
        return folder is not null && stored < cursor!.Sources.Count ? Path.Combine(folder, FileOf(stored.Value)) : null;
    }

    /// <summary>Reads the state that belongs to where a source's text begins.</summary>
    /// <exception cref="SourceException">The file is missing, or is none that was written for the cursor.</exception>
    internal static void Restore(IDocumentFilter filter, string source, long entries, string? path)
    {
        if (entries == 0)
            return;
        try
        {
            using var file = new FileStream(path ?? throw new FileNotFoundException("no folder is given"), FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
            filter.Restore(entries, file);
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new SourceException(
                $"the duplicates found so far in source {source} cannot be read ({exception.Message.TrimEnd('.')}); go on from a whole checkpoint, or begin the run anew (run.resume = never).", exception);
        }
    }

    /// <summary>By the source's place in the cursor: a name may hold what a file's may not.</summary>
    private static string FileOf(int source) => $"duplicates-{source}.bin";
}
