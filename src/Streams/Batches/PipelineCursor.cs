using Streaming.Streams.Sources;

namespace Streaming.Streams.Batches;

/// <summary>
/// Where a stream of batches stands, serialisable to JSON: the place of a line, and how many tokens of the text from there
/// on have been handed out. Nothing half-packed is kept, as it is made again from that line. So a cursor is small, holds
/// for any number of workers, and the block size and the rows of a batch may change where a run is resumed.
/// </summary>
public sealed record PipelineCursor
{
    /// <summary>The version that this program writes and reads.</summary>
    public const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;

    /// <summary>All sources in reading order, as they were when the stream began.</summary>
    public required IReadOnlyList<SourceIdentity> Sources { get; init; }

    /// <summary>The start of the line.</summary>
    public required SourcePosition Position { get; init; }

    /// <summary>Tokens of the text from the line on that have been handed out.</summary>
    public required long TokensTaken { get; init; }

    /// <summary>By value: a cursor that was stored and read back equals the one that was stored.</summary>
    public bool Equals(PipelineCursor? other) =>
        other is not null && Version == other.Version && Position == other.Position
        && TokensTaken == other.TokensTaken && Sources.SequenceEqual(other.Sources);

    public override int GetHashCode() => HashCode.Combine(Version, Position, TokensTaken, Sources.Count);

    /// <summary>Refuses sources other than those of the cursor.</summary>
    /// <exception cref="SourceException">The cursor is of another version, or a file is missing, new, moved or of another length.</exception>
    internal void Verify(IReadOnlyList<SourceFile> files)
    {
        const string remedy = "give the sources that the run began with, or start without the cursor";
        if (Version != CurrentVersion)
            throw new SourceException($"the cursor is of version {Version}, this program reads version {CurrentVersion}; start without the cursor.");
        for (var index = 0; index < Math.Max(Sources.Count, files.Count); index++)
        {
            if (index >= files.Count)
                throw new SourceException($"{Sources[index].Name} was a source when the cursor was made and is none now; {remedy}.");
            var found = SourceIdentity.Of(files[index]);
            if (index >= Sources.Count)
                throw new SourceException($"{files[index].Name} is a source now and was none when the cursor was made; {remedy}.");
            var expected = Sources[index];
            if (expected.Name != found.Name)
                throw new SourceException($"source {index + 1} is {files[index].Name}, when the cursor was made it was {expected.Name}; {remedy}.");
            if (expected.Length != found.Length)
                throw new SourceException($"{files[index].Name} has {found.Length} bytes, when the cursor was made it had {expected.Length}; {remedy}.");
        }
        if (Position.File < 0 || Position.File >= files.Count || Position.Offset < 0 || Position.Epoch < 0 || TokensTaken < 0)
            throw new SourceException($"the cursor does not point into the sources (file {Position.File}, byte {Position.Offset}); start without the cursor.");
    }
}

/// <summary>What a source is recognised by when a run is resumed. The folder does not count: a data disk may move.</summary>
/// <param name="Name">The file's name without its folder, or <c>-</c>.</param>
/// <param name="Length">Bytes as stored; null where they cannot be told.</param>
public sealed record SourceIdentity(string Name, long? Length)
{
    internal static SourceIdentity Of(SourceFile file) => new(file.IsStandardInput ? file.Path : Path.GetFileName(file.Path), file.Length);
}
