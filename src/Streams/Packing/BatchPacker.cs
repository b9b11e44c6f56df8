using System.Diagnostics;
using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>
/// Cuts the stream of tokens into blocks, and blocks into batches, as group_texts of run_clm.py does, but over the whole
/// stream: a block begins where the one before it ended, in whichever line or epoch that was.
/// </summary>
/// <param name="rows">Blocks a batch.</param>
/// <param name="blockSize">Tokens a block.</param>
/// <param name="endless">Whether the text is read for ever.</param>
/// <param name="start">Where the tokens begin: the cursors of the batches are made from it.</param>
/// <param name="lines">Takes used-up lines back.</param>
/// <param name="arrays">Gives the batches their memory.</param>
/// <param name="statistics">Counts batches and dropped tokens.</param>
internal sealed class BatchPacker(
    int rows, int blockSize, bool endless, PipelineCursor start, LineBatchPool lines, TokenArrayPool arrays, PipelineStatistics statistics)
{
    private int[] _batch = arrays.Rent();
    private int _filled;
    private long _tokensToSkip = start.TokensTaken;
    private LineBatch? _input;
    private int _taken;
    private PipelineCursor _cursor = start;
    private long _epoch = start.Position.Epoch;
    private bool _epochHasTokens = start.Position != SourcePosition.StartOf(start.Position.Epoch, 0);

    /// <summary>Whether tokens given before are not used up.</summary>
    public bool HasInput => _input is not null;

    /// <summary>Takes over the next lines' tokens; only after <see cref="TryPack"/> has used up the ones before.</summary>
    /// <exception cref="SourceException">A whole epoch of an endless stream had no token: it would spin for ever.</exception>
    public void Give(LineBatch input)
    {
        if (input.Position.Epoch != _epoch)
        {
            if (endless && !_epochHasTokens)
                throw new SourceException("a whole pass over the sources had no text for this side of the split; give more documents or change validation-fraction.");
            _epoch = input.Position.Epoch;
            _epochHasTokens = false;
        }
        _epochHasTokens |= input.Tokens.Count > 0;
        _input = input;
        _taken = (int)Math.Min(_tokensToSkip, input.Tokens.Count);
        _tokensToSkip -= _taken;
        statistics.SetEpochsCompleted(_epoch);
    }

    /// <summary>The next full batch; null where the tokens given so far are used up.</summary>
    public TokenBatch? TryPack()
    {
        if (_input is null)
            return null;
        var began = Stopwatch.GetTimestamp();
        var tokens = _input.Tokens.Span[_taken..];
        var count = Math.Min(tokens.Length, _batch.Length - _filled);
        tokens[..count].CopyTo(_batch.AsSpan(_filled));
        _filled += count;
        _taken += count;
        if (_filled == _batch.Length)
            return Emit(rows, CursorIn(_input), began);
        statistics.Pack.AddBusy(Stopwatch.GetElapsedTime(began));
        _cursor = CursorIn(_input);
        lines.Return(_input);
        _input = null;
        return null;
    }

    /// <summary>
    /// The end of the text: the blocks that are complete but fill no batch, as a batch of fewer rows where those are
    /// wanted. An incomplete block is dropped, and counted.
    /// </summary>
    public TokenBatch? Finish(bool keepFewerRows)
    {
        var fullRows = keepFewerRows ? _filled / blockSize : 0;
        statistics.AddDropped(_filled - fullRows * blockSize);
        statistics.SetEpochsCompleted(_epoch + 1);
        return fullRows > 0 ? Emit(fullRows, _cursor, Stopwatch.GetTimestamp()) : null;
    }

    private TokenBatch Emit(int fullRows, PipelineCursor cursor, long began)
    {
        var tokens = fullRows == rows ? _batch : _batch[..(fullRows * blockSize)];
        _batch = arrays.Rent();
        _filled = 0;
        statistics.Pack.Add(bytes: 0, lines: 0, Stopwatch.GetElapsedTime(began), tokens: tokens.Length);
        return new TokenBatch(tokens, fullRows, blockSize, cursor);
    }

    private PipelineCursor CursorIn(LineBatch input) =>
        _cursor with { Position = input.Position, TokensTaken = _taken };
}
