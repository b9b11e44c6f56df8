using Streaming.Streams.Cleaning;

namespace Streaming.Streams.Measurement;

/// <summary>What one source has yielded so far. May be read at any time, from any thread.</summary>
/// <param name="name">As the options have it.</param>
/// <param name="onNotice">Told of the first record that is passed over, or of the first few where each is named.</param>
public sealed class SourceStatistics(string name, Action<string>? onNotice = null)
{
    /// <summary>What <see cref="Dropped"/> calls records that hold no text for the run.</summary>
    public const string UnreadableRecord = "unreadable-record";

    /// <summary>What <see cref="Dropped"/> calls records of instructions that are longer than a block and are left out.</summary>
    public const string LongRecord = "longer-than-block";

    /// <summary>Records that are named at most; further ones are counted.</summary>
    internal const int MostNamed = 20;

    private long _tokens, _epochs, _invalidBytes, _cutLines, _rejectedRecords, _longRecords, _cutRecords, _heldOutLines;
    private int _named;
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

    /// <summary>Records of instructions that are longer than a block and were left out, in the first pass.</summary>
    public long LongRecords => Volatile.Read(ref _longRecords);

    /// <summary>Those that were cut to a block instead.</summary>
    public long CutRecords => Volatile.Read(ref _cutRecords);

    /// <summary>Lines of documents that are on the other side of the held-out split, by their hash.</summary>
    public long HeldOutLines => Volatile.Read(ref _heldOutLines);

    /// <summary>
    /// What was read and did not become tokens: lines by the reason for which cleaning dropped them (those of a dropped document
    /// under its reason), and records that were passed over. Every reason is there, those that have not occurred with 0.
    /// </summary>
    public IEnumerable<(string Reason, long Lines)> Dropped =>
        CleaningReasons.All.Select(reason => (reason.Label(), Cleaning.Lines(reason))).Prepend((LongRecord, LongRecords)).Prepend((UnreadableRecord, RejectedRecords));

    /// <summary>Cleaning has seen text and kept no line of it.</summary>
    internal bool CleaningDroppedAll => Cleaning.TotalCharacters > 0 && Cleaning.Lines(CleaningReason.None) == 0;

    internal void AddInvalid(long bytes, long cutLines)
    {
        if (bytes != 0)
            Interlocked.Add(ref _invalidBytes, bytes);
        if (cutLines != 0)
            Interlocked.Add(ref _cutLines, cutLines);
    }

    /// <param name="records">So many were passed over.</param>
    /// <param name="first">The first of all.</param>
    /// <param name="named">Each of them, where the reader names them.</param>
    internal void AddRejected(long records, string? first, IReadOnlyList<string> named)
    {
        if (records == 0)
            return;
        Interlocked.Add(ref _rejectedRecords, records);
        var isFirst = Interlocked.CompareExchange(ref _firstRejection, first, null) is null;
        if (isFirst && named.Count == 0)
            onNotice?.Invoke($"a record of source {name} is passed over, as all like it: {first}");
        foreach (var sentence in named)
        {
            if (Interlocked.Increment(ref _named) is var number && number <= MostNamed)
                onNotice?.Invoke($"a record of source {name} is passed over: {sentence}{(number == MostNamed ? "; further ones are counted and not named" : "")}");
        }
    }

    /// <summary>A record of instructions was longer than a block.</summary>
    internal void AddLongRecord(string sentence, bool isCut)
    {
        if (Interlocked.Increment(ref isCut ? ref _cutRecords : ref _longRecords) == 1)
            onNotice?.Invoke($"a record of source {name} is {(isCut ? "cut" : "left out")}, as all like it: {sentence}");
    }

    internal void AddHeldOut(long lines) => Interlocked.Add(ref _heldOutLines, lines);

    internal void AddTokens(long tokens) => Interlocked.Add(ref _tokens, tokens);

    internal void SetEpochsCompleted(long epochs) => Volatile.Write(ref _epochs, epochs);
}
