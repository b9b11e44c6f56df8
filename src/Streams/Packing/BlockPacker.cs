using System.Diagnostics;
using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>Cuts the tokens of one source into blocks; a block may hold tokens of several documents and epochs.</summary>
/// <param name="blockSize">Tokens a block.</param>
/// <param name="start">Where the tokens begin.</param>
/// <param name="epochStart">Where the epoch of that place begins.</param>
/// <param name="endless">Whether the text is read for ever.</param>
/// <param name="lines">Takes used-up text back.</param>
/// <param name="blocks">Gives memory.</param>
/// <param name="statistics">Counts.</param>
/// <param name="source">Counts what comes from this source.</param>
internal abstract class BlockPacker(
    int blockSize, SourcePlace start, SourcePosition epochStart, bool endless, LineBatchPool lines, TokenBlocksPool blocks,
    PipelineStatistics statistics, SourceStatistics source)
{
    private long _tokensToSkip = start.TokensTaken;
    private LineBatch? _input;
    private long _epoch = start.Position.Epoch;
    private bool _epochHasTokens = start.Position != epochStart;

    /// <summary>Whether documents given before are not used up.</summary>
    public bool HasInput => _input is not null;

    /// <summary>What is being filled.</summary>
    protected TokenBlocks Blocks { get; private set; } = blocks.Rent();

    protected PipelineStatistics Statistics => statistics;

    /// <summary>The document that comes next, its first token and the first token that has not been taken.</summary>
    protected int Document { get; set; }

    /// <inheritdoc cref="Document"/>
    protected int DocumentBegin { get; set; }

    /// <inheritdoc cref="Document"/>
    protected int Taken { get; set; }

    /// <summary>Takes over the next documents; only after <see cref="TryPack"/> has used up the ones before.</summary>
    /// <exception cref="SourceException">A whole epoch of an endless source had no token: it would spin for ever.</exception>
    public void Give(LineBatch input)
    {
        if (input.Position.Epoch != _epoch)
        {
            if (endless && !_epochHasTokens)
                throw new SourceException($"a whole pass over source {source.Name} left no text; {(source.CleaningDroppedAll ? $"cleaning dropped all of it, as streaming inspect --source {source.Name} shows" : "give more documents, or change validation-fraction, as none is on this side of the split")}.");
            _epoch = input.Position.Epoch;
            _epochHasTokens = false;
        }
        _epochHasTokens |= input.Tokens.Count > 0;
        source.SetEpochsCompleted(_epoch);
        (_input, Document, DocumentBegin) = (input, 0, 0);
        Taken = (int)Math.Min(_tokensToSkip, input.Tokens.Count);
        _tokensToSkip -= Taken;
    }

    /// <summary>The next full blocks; null where the documents given so far are used up.</summary>
    public TokenBlocks? TryPack()
    {
        if (_input is null)
            return null;
        var began = Stopwatch.GetTimestamp();
        Fill(_input);
        if (Document == _input.Documents.Length)
        {
            lines.Return(_input);
            _input = null;
        }
        var packed = Blocks.Count > 0 ? Detach() : null;
        statistics.Pack.Add(bytes: 0, lines: 0, Stopwatch.GetElapsedTime(began), tokens: (packed?.Count ?? 0) * (long)blockSize);
        return packed;
    }

    /// <summary>The end of the text.</summary>
    /// <returns>What the incomplete block became; null where it is dropped, and counted.</returns>
    public TokenBlocks? Finish()
    {
        source.SetEpochsCompleted(_epoch + 1);
        CompleteLast();
        if (Blocks.Count > 0)
            return Detach();
        statistics.AddDropped(Blocks.Pending);
        return null;
    }

    /// <summary>Moves tokens into blocks, until these are full or the documents used up.</summary>
    protected abstract void Fill(LineBatch input);

    /// <summary>At the end of the text: completes the block that is not, where that makes sense.</summary>
    protected virtual void CompleteLast()
    {
    }

    /// <summary>Where the source stands after the tokens that are taken.</summary>
    protected SourcePlace PlaceIn(LineBatch input, in DocumentMark document) => input.Window is { } window
        ? window with { TokensTaken = window.TokensTaken + Taken }
        : new SourcePlace(document.Position, Taken - DocumentBegin, document.DuplicateEntries);

    private TokenBlocks Detach()
    {
        var full = Blocks;
        Blocks = blocks.Rent();
        full.MovePendingTo(Blocks);
        return full;
    }
}
