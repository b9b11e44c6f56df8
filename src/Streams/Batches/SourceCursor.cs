using Streaming.Streams.Sources;

namespace Streaming.Streams.Batches;

/// <summary>Where one source of a stream stands.</summary>
public sealed record SourceCursor
{
    public required string Name { get; init; }

    /// <summary>All files in the order in which they are listed, as they were when the stream began.</summary>
    public required IReadOnlyList<SourceIdentity> Files { get; init; }

    /// <summary>How the files are read.</summary>
    public required string Reading { get; init; }

    /// <summary>A fingerprint of the cleaning rules; null where there are none.</summary>
    public string? Cleaning { get; init; }

    /// <summary>Where its last token came from.</summary>
    public required SourcePlace Place { get; init; }

    /// <summary>Tokens handed out since its beginning, all epochs together.</summary>
    public long Tokens { get; init; }

    /// <summary>Its weight when the mixing began to count.</summary>
    public double Weight { get; init; }

    /// <summary>Blocks handed out since then.</summary>
    public long BlocksMixed { get; init; }

    /// <summary>Passes after which its text was used up and it left the mix; null where it has not.</summary>
    public int? EndedAfter { get; init; }

    public bool Equals(SourceCursor? other) =>
        other is not null && (Name, Reading, Cleaning, Place, Tokens, Weight, BlocksMixed, EndedAfter)
            == (other.Name, other.Reading, other.Cleaning, other.Place, other.Tokens, other.Weight, other.BlocksMixed, other.EndedAfter)
        && Files.SequenceEqual(other.Files);

    public override int GetHashCode() => HashCode.Combine(Name, Place, Tokens, BlocksMixed, EndedAfter);

    internal static SourceCursor AtStart(SourceOptions source, SourceFiles files) => new()
    {
        Name = source.Name,
        Files = files.Identities,
        Reading = source.Reading,
        Cleaning = source.CleaningIdentity,
        Place = new SourcePlace(files.StartOf(0), 0, 0),
    };

    /// <summary>Refuses files other than those of the cursor.</summary>
    /// <exception cref="SourceException">A file is missing, new, moved or of another length, or read or cleaned in another way.</exception>
    internal void Verify(SourceOptions source, SourceFiles files)
    {
        var remedy = $"give the files that the run began with, or another name than {Name} to a source that is to be read from its beginning";
        for (var index = 0; index < Math.Max(Files.Count, files.Count); index++)
        {
            if (index >= files.Count)
                throw new SourceException($"{Files[index].Name} was a file of source {Name} when the cursor was made and is none now; {remedy}.");
            var found = SourceIdentity.Of(files[index]);
            if (index >= Files.Count)
                throw new SourceException($"{files[index].Name} is a file of source {Name} now and was none when the cursor was made; {remedy}.");
            var expected = Files[index];
            if (expected.Name != found.Name)
                throw new SourceException($"file {index + 1} of source {Name} is {files[index].Name}, when the cursor was made it was {expected.Name}; {remedy}.");
            if (expected.Length != found.Length)
                throw new SourceException($"{files[index].Name} has {found.Length} bytes, when the cursor was made it had {expected.Length}; {remedy}.");
            if (expected.Version != found.Version)
                throw new SourceException($"{files[index].Name} is of version {found.Version ?? "unknown"} on its server, when the cursor was made it was of {expected.Version ?? "an unknown one"}; {remedy}.");
        }
        if (Reading != source.Reading)
            throw new SourceException($"source {Name} is read as {source.Reading}, when the cursor was made it was {Reading}; {remedy}.");
        if (Cleaning != source.CleaningIdentity)
            throw new SourceException($"source {Name} is {(source.Cleaning is null ? "not cleaned any more" : Cleaning is null ? "cleaned, which it was not when the cursor was made" : "cleaned by other rules than when the cursor was made")}; give those that the run began with, or {Name} another name if it is to be read from its beginning.");
        if (Place.Position is { } at && (at.File < 0 || at.File >= files.Count || at.Offset < 0 || at.Epoch < 0 || Place.TokensTaken < 0 || Place.DuplicateEntries < 0))
            throw new SourceException($"the cursor does not point into source {Name} (file {at.File}, byte {at.Offset}); begin the run anew (run.resume = never).");
    }
}

/// <summary>A place in the tokens of a source.</summary>
/// <param name="Position">The start of a document, of a part of one, or of a shuffle window.</param>
/// <param name="TokensTaken">Tokens of the text from there on that have been handed out.</param>
/// <param name="DuplicateEntries">Entries in the source's duplicate index there.</param>
public readonly record struct SourcePlace(SourcePosition Position, long TokensTaken, long DuplicateEntries);

/// <summary>What a file is recognised by when a run is resumed. The folder does not count: a data disk may move.</summary>
/// <param name="Name">The file's name without its folder, or <c>-</c>.</param>
/// <param name="Length">Bytes as stored; null where they cannot be told.</param>
/// <param name="Version">Of a file on a web server: its ETag or date; null where it has none.</param>
public sealed record SourceIdentity(string Name, long? Length, string? Version = null)
{
    internal static SourceIdentity Of(SourceFile file) => new(file.FileName, file.Length, file.Version?.Mark);
}
