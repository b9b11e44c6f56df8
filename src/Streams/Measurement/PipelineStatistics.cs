using Streaming.Streams.Batches;

namespace Streaming.Streams.Measurement;

/// <summary>What a text path has done so far, counted once a batch of lines. May be read at any time, from any thread.</summary>
public sealed class PipelineStatistics
{
    private long _droppedTokens, _paddingTokens;
    private Func<int>? _queueDepth;
    private PipelineCursor? _cursor;

    public StageStatistics Read { get; } = new("read");

    /// <summary>Raw records to lines, in parallel.</summary>
    public StageStatistics Extract { get; } = new("extract");

    /// <summary>Rules for lines and documents, in parallel.</summary>
    public StageStatistics Clean { get; } = new("clean");

    /// <summary>Duplicates and the held-out split, in order.</summary>
    public StageStatistics Split { get; } = new("split");
    public StageStatistics Normalize { get; } = new("normalize");
    public StageStatistics Tokenize { get; } = new("tokenize");
    public StageStatistics Shuffle { get; } = new("shuffle");
    public StageStatistics Pack { get; } = new("pack");
    public StageStatistics Mix { get; } = new("mix");

    /// <summary>The queue of finished batches: what went through, and how long the path waited for room.</summary>
    public StageStatistics Queue { get; } = new("queue");

    /// <summary>All stages in the text's order.</summary>
    public IReadOnlyList<StageStatistics> Stages => [Read, Extract, Clean, Split, Normalize, Tokenize, Shuffle, Pack, Mix, Queue];

    /// <summary>What each source has yielded, in the order of the options.</summary>
    public IReadOnlyList<SourceStatistics> Sources { get; internal set; } = [];

    /// <summary>Bytes of all sources that are not UTF-8.</summary>
    public long InvalidBytes => Sources.Sum(source => source.InvalidBytes);

    /// <summary>Lines of all sources that were cut for their length.</summary>
    public long CutLines => Sources.Sum(source => source.CutLines);

    /// <summary>Records of all sources that were passed over.</summary>
    public long RejectedRecords => Sources.Sum(source => source.RejectedRecords);

    /// <summary>Tokens at the end of the text that filled no block or, in training, no batch.</summary>
    public long DroppedTokens => Volatile.Read(ref _droppedTokens);

    /// <summary>Tokens with which blocks of whole records were filled up.</summary>
    public long PaddingTokens => Volatile.Read(ref _paddingTokens);

    /// <summary>Where each source stands after the newest batch; null before the first.</summary>
    public PipelineCursor? Cursor => Volatile.Read(ref _cursor);

    /// <summary>Passes over every source that are complete.</summary>
    public long EpochsCompleted => Sources.Count == 0 ? 0 : Sources.Min(source => source.EpochsCompleted);

    /// <summary>Batches that wait for the trainer now; 0 where the stream has no queue.</summary>
    public int QueueDepth => _queueDepth?.Invoke() ?? 0;

    internal void AddDropped(long tokens) => Interlocked.Add(ref _droppedTokens, tokens);

    internal void AddPadding(long tokens) => Interlocked.Add(ref _paddingTokens, tokens);

    internal void SetCursor(PipelineCursor cursor) => Volatile.Write(ref _cursor, cursor);

    internal void ObserveQueue(Func<int> depth) => _queueDepth = depth;
}
