using System.Diagnostics;
using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>
/// Cuts the tokens of one source into blocks, as group_texts of run_clm.py does, but over the whole text: a block begins
/// where the one before it ended, in whichever document or epoch that was.
/// </summary>
/// <param name="blockSize">Tokens a block.</param>
/// <param name="start">Where the tokens begin.</param>
/// <param name="epochStart">Where the epoch of that place begins.</param>
/// <param name="endless">Whether the text is read for ever.</param>
/// <param name="lines">Takes used-up text back.</param>
/// <param name="blocks">Gives memory.</param>
/// <param name="statistics">Counts.</param>
/// <param name="source">Counts what comes from this source.</param>
internal sealed class BlockPacker(
    int blockSize, SourcePlace start, SourcePosition epochStart, bool endless, LineBatchPool lines, TokenBlocksPool blocks,
    PipelineStatistics statistics, SourceStatistics source)
{
    private TokenBlocks _blocks = blocks.Rent();
    private long _tokensToSkip = start.TokensTaken;
    private LineBatch? _input;
    private int _document, _documentBegin, _taken;
    private long _epoch = start.Position.Epoch;
    private bool _epochHasTokens = start.Position != epochStart;

    /// <summary>Whether documents given before are not used up.</summary>
    public bool HasInput => _input is not null;

    /// <summary>Takes over the next documents; only after <see cref="TryPack"/> has used up the ones before.</summary>
    /// <exception cref="SourceException">A whole epoch of an endless source had no token: it would spin for ever.</exception>
    public void Give(LineBatch input)
    {
        if (input.Position.Epoch != _epoch)
        {
            if (endless && !_epochHasTokens)
                throw new SourceException($"a whole pass over source {source.Name} had no text for this side of the split; give more documents or change validation-fraction.");
            _epoch = input.Position.Epoch;
            _epochHasTokens = false;
        }
        _epochHasTokens |= input.Tokens.Count > 0;
        source.SetEpochsCompleted(_epoch);
        (_input, _document, _documentBegin) = (input, 0, 0);
        _taken = (int)Math.Min(_tokensToSkip, input.Tokens.Count);
        _tokensToSkip -= _taken;
    }

    /// <summary>The next full blocks; null where the documents given so far are used up.</summary>
    public TokenBlocks? TryPack()
    {
        if (_input is null)
            return null;
        var began = Stopwatch.GetTimestamp();
        Fill(_input);
        if (_document == _input.Documents.Length)
        {
            lines.Return(_input);
            _input = null;
        }
        var packed = _blocks.Count > 0 ? Detach() : null;
        statistics.Pack.Add(bytes: 0, lines: 0, Stopwatch.GetElapsedTime(began), tokens: (packed?.Count ?? 0) * (long)blockSize);
        return packed;
    }

    /// <summary>The end of the text: an incomplete block is dropped, and counted.</summary>
    public void Finish()
    {
        statistics.AddDropped(_blocks.Pending);
        source.SetEpochsCompleted(_epoch + 1);
    }

    private void Fill(LineBatch input)
    {
        var documents = input.Documents;
        var tokens = input.Tokens.Span;
        for (; _document < documents.Length; _document++)
        {
            ref var document = ref documents[_document];
            while (_taken < document.TokenEnd)
            {
                if (_blocks.IsFull)
                    return;
                if (_taken == _documentBegin && (document.Position.Part == 0 || input.Window is not null))
                    _blocks.BeginDocument();
                var room = _blocks.Room;
                var count = Math.Min(room.Length, document.TokenEnd - _taken);
                tokens.Slice(_taken, count).CopyTo(room);
                _taken += count;
                _blocks.Record(count, document.Position);
                _blocks.Advance(count, PlaceIn(input, document));
            }
            _documentBegin = document.TokenEnd;
        }
    }

    private SourcePlace PlaceIn(LineBatch input, in DocumentMark document) => input.Window is { } window
        ? window with { TokensTaken = window.TokensTaken + _taken }
        : new SourcePlace(document.Position, _taken - _documentBegin, document.DuplicateEntries);

    private TokenBlocks Detach()
    {
        var full = _blocks;
        _blocks = blocks.Rent();
        full.MovePendingTo(_blocks);
        return full;
    }
}
