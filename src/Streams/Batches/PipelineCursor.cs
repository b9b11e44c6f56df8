using Streaming.Streams.Sources;

namespace Streaming.Streams.Batches;

/// <summary>
/// Where a stream of batches stands, serialisable to JSON: for each source a place in its text and how many tokens from
/// there on have been handed out. Nothing half-made is kept, as it is made again from there. So a cursor is small and holds
/// for any number of workers; block size, rows and weights may change where a run is resumed, and sources may come and go.
/// </summary>
public sealed record PipelineCursor
{
    /// <summary>The version that this program writes and reads.</summary>
    public const int CurrentVersion = 2;

    public int Version { get; init; } = CurrentVersion;

    /// <summary>What else decides which tokens come: the same where a run is resumed.</summary>
    public required TextIdentity Text { get; init; }

    /// <summary>Tokens a block; mixing counts anew where it changes.</summary>
    public required int BlockSize { get; init; }

    /// <summary>All sources in the order of the options.</summary>
    public required IReadOnlyList<SourceCursor> Sources { get; init; }

    /// <summary>By value: a cursor that was stored and read back equals the one that was stored.</summary>
    public bool Equals(PipelineCursor? other) =>
        other is not null && Version == other.Version && Text == other.Text && BlockSize == other.BlockSize && Sources.SequenceEqual(other.Sources);

    public override int GetHashCode() => HashCode.Combine(Version, Text, Sources.Count, Sources.FirstOrDefault());

    /// <summary>The place of a source in the cursor; null where it is new.</summary>
    internal SourceCursor? Find(string source) => Sources.FirstOrDefault(cursor => cursor.Name == source);

    /// <summary>Refuses what the cursor does not fit.</summary>
    /// <exception cref="SourceException">It is of another version, or of a stream of other tokens.</exception>
    internal void Verify(TextIdentity text)
    {
        if (Version != CurrentVersion)
            throw new SourceException($"the cursor is of version {Version}, this program reads version {CurrentVersion}; begin the run anew (run.resume = never).");
        if (Text is null || Sources is null || Sources.Any(source => source?.Files is null) || Sources.DistinctBy(source => source.Name).Count() != Sources.Count)
            throw new SourceException("the cursor is not whole; begin the run anew (run.resume = never).");
        if (Text.DifferenceTo(text) is { } difference)
            throw new SourceException($"{difference}; go on with what the run began with, or begin the run anew (run.resume = never).");
    }
}
