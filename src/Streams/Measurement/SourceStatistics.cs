using Streaming.Streams.Cleaning;

namespace Streaming.Streams.Measurement;

/// <summary>What one source has yielded so far. May be read at any time, from any thread.</summary>
/// <param name="name">As the options have it.</param>
/// <param name="onNotice">Told of the first record that is passed over.</param>
public sealed class SourceStatistics(string name, Action<string>? onNotice = null)
{
    /// <summary>What <see cref="Dropped"/> calls records that hold no text for the run.</summary>
    public const string UnreadableRecord = "unreadable-record";

    private long _tokens, _epochs, _invalidBytes, _cutLines, _rejectedRecords, _heldOutLines;
    private string? _firstRejection;

    public string Name => name;

    /// <summary>What its cleaning kept and dropped.</summary>
    public CleaningStatistics Cleaning { get; } = new();

    /// <summary>Tokens in blocks that went into batches.</summary>
    public long Tokens => Volatile.Read(ref _tokens);

    /// <summary>Passes over the source whose last document has been packed.</summary>
    public long EpochsCompleted => Volatile.Read(ref _epochs);

    /// <summary>Bytes that are not UTF-8; each sequence became one U+FFFD.</summary>
    public long InvalidBytes => Volatile.Read(ref _invalidBytes);

    /// <summary>Lines cut for their length.</summary>
    public long CutLines => Volatile.Read(ref _cutLines);

    /// <summary>Records (JSON lines, rows, pages) that hold no text, or none that can be read, and were passed over.</summary>
    public long RejectedRecords => Volatile.Read(ref _rejectedRecords);

    /// <summary>Which record was the first of them, and what is wrong with it; null where there was none.</summary>
    public string? FirstRejection => Volatile.Read(ref _firstRejection);

    /// <summary>Lines of documents that are on the other side of the held-out split, by their hash.</summary>
    public long HeldOutLines => Volatile.Read(ref _heldOutLines);

    /// <summary>
    /// What was read and did not become tokens: lines by the reason for which cleaning dropped them (those of a dropped document
    /// under its reason), and records that were passed over. Every reason is there, those that have not occurred with 0.
    /// </summary>
    public IEnumerable<(string Reason, long Lines)> Dropped =>
        CleaningReasons.All.Select(reason => (reason.Label(), Cleaning.Lines(reason))).Prepend((UnreadableRecord, RejectedRecords));

    internal void AddInvalid(long bytes, long cutLines)
    {
        if (bytes != 0)
            Interlocked.Add(ref _invalidBytes, bytes);
        if (cutLines != 0)
            Interlocked.Add(ref _cutLines, cutLines);
    }

    internal void AddRejected(long records, string? first)
    {
        if (records == 0)
            return;
        Interlocked.Add(ref _rejectedRecords, records);
        if (Interlocked.CompareExchange(ref _firstRejection, first, null) is null)
            onNotice?.Invoke($"a record of source {name} is passed over, as all like it: {first}");
    }

    internal void AddHeldOut(long lines) => Interlocked.Add(ref _heldOutLines, lines);

    internal void AddTokens(long tokens) => Interlocked.Add(ref _tokens, tokens);

    internal void SetEpochsCompleted(long epochs) => Volatile.Write(ref _epochs, epochs);
}
