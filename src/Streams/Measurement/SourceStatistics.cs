using Streaming.Streams.Cleaning;

namespace Streaming.Streams.Measurement;

/// <summary>What one source has yielded so far. May be read at any time, from any thread.</summary>
/// <param name="name">As the options have it.</param>
public sealed class SourceStatistics(string name)
{
    private long _tokens, _epochs;

    public string Name => name;

    /// <summary>What its cleaning kept and dropped.</summary>
    public CleaningStatistics Cleaning { get; } = new();

    /// <summary>Tokens in blocks that went into batches.</summary>
    public long Tokens => Volatile.Read(ref _tokens);

    /// <summary>Passes over the source whose last document has been packed.</summary>
    public long EpochsCompleted => Volatile.Read(ref _epochs);

    internal void AddTokens(long tokens) => Interlocked.Add(ref _tokens, tokens);

    internal void SetEpochsCompleted(long epochs) => Volatile.Write(ref _epochs, epochs);
}
