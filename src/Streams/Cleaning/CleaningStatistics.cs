namespace Streaming.Streams.Cleaning;

/// <summary>
/// What cleaning kept and dropped so far, by reason. Thread-safe; may be read at any time. Characters are UTF-16 units. The
/// lines of a dropped document count under its reason, but for those that a line rule had taken before.
/// </summary>
public sealed class CleaningStatistics
{
    private readonly long[] _documents = new long[CleaningReasons.Count];
    private readonly long[] _lines = new long[CleaningReasons.Count];
    private readonly long[] _characters = new long[CleaningReasons.Count];

    /// <summary>Documents dropped for the reason; for <see cref="CleaningReason.None"/>, kept.</summary>
    public long Documents(CleaningReason reason) => Volatile.Read(ref _documents[(int)reason]);

    /// <summary>Lines dropped for the reason, a document's lines for the document's reason; for <see cref="CleaningReason.None"/>, kept.</summary>
    public long Lines(CleaningReason reason) => Volatile.Read(ref _lines[(int)reason]);

    /// <summary>Characters of <see cref="Lines"/>.</summary>
    public long Characters(CleaningReason reason) => Volatile.Read(ref _characters[(int)reason]);

    /// <summary>Characters seen, kept or not.</summary>
    public long TotalCharacters => Enumerable.Range(0, CleaningReasons.Count).Sum(reason => Characters((CleaningReason)reason));

    internal void AddDocument(CleaningReason reason) => Interlocked.Increment(ref _documents[(int)reason]);

    internal void AddLines(CleaningReason reason, int lines, long characters)
    {
        Interlocked.Add(ref _lines[(int)reason], lines);
        Interlocked.Add(ref _characters[(int)reason], characters);
    }
}
