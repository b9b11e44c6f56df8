using System.Diagnostics;
using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Packing;
using Streaming.Streams.Text;

namespace Streaming.Streams.Mixing;

/// <summary>Puts blocks of the sources together to batches and knows where every source stands.</summary>
/// <param name="options">Rows, block size, document mask.</param>
/// <param name="start">Where the sources stand before the first block.</param>
/// <param name="arrays">Gives the batches their memory.</param>
/// <param name="statistics">Counts.</param>
internal sealed class BatchAssembler(PipelineOptions options, PipelineCursor start, TokenArrayPool arrays, PipelineStatistics statistics)
{
    private readonly SourceCursor[] _sources = [.. start.Sources];
    private readonly Mixer _mixer = new(
        [.. start.Sources.Select(source => source.Weight)], start.Sources.Select(source => source.BlocksMixed), start.Sources.Select(source => source.EndedAfter is not null));
    private readonly (SourcePlace Place, long Tokens, bool IsNew)[] _taken = [.. start.Sources.Select(source => (source.Place, source.Tokens, false))];
    private readonly TokenBuffer? _documentStarts = options.DocumentMask || options.Instructions is not null ? new TokenBuffer() : null;
    private readonly List<BatchDocument>? _documents = options.RecordDocuments ? [] : null;
    private int[] _batch = arrays.Rent();
    private bool[]? _counted = CreateMask(options);
    private int _rows;

    /// <summary>Whether the batch has all its rows.</summary>
    public bool IsFull => _rows == options.Rows;

    /// <summary>The source of the next row; null where all have ended.</summary>
    public int? NextSource => _mixer.Next();

    /// <summary>Takes one block of a source as the next row.</summary>
    public void Add(int source, TokenBlocks blocks, int block)
    {
        var begin = _rows++ * options.BlockSize;
        blocks[block].CopyTo(_batch.AsSpan(begin));
        if (_counted is not null)
            blocks.CountedIn(block).CopyTo(_counted.AsSpan(begin));
        if (_documentStarts is not null)
            AddStarts(_documentStarts, begin, blocks, block);
        _documents?.AddRange(DocumentsOf(source, blocks, block));
        _mixer.Take(source);
        _taken[source] = (blocks.PlaceAfter(block), _taken[source].Tokens + options.BlockSize, true);
        statistics.Sources[source].AddTokens(options.BlockSize);
    }

    /// <summary>A source has no block any more.</summary>
    public void Leave(int source)
    {
        _mixer.Leave(source);
        for (var index = 0; index < _taken.Length; index++)
            _taken[index].IsNew = true;
    }

    /// <summary>The batch with the rows that it has.</summary>
    public TokenBatch Emit()
    {
        var began = Stopwatch.GetTimestamp();
        for (var index = 0; index < _sources.Length; index++)
        {
            if (!_taken[index].IsNew)
                continue;
            _sources[index] = _sources[index] with
            {
                Place = _taken[index].Place,
                Tokens = _taken[index].Tokens,
                BlocksMixed = _mixer.Taken(index),
                EndedAfter = _sources[index].EndedAfter ?? (_mixer.HasLeft(index) ? options.Sources[index].Epochs : null),
            };
            _taken[index].IsNew = false;
        }
        var tokens = IsFull ? _batch : _batch[..(_rows * options.BlockSize)];
        var batch = new TokenBatch(tokens, _rows, options.BlockSize, start with { Sources = [.. _sources] })
        {
            DocumentStarts = _documentStarts?.Span.ToArray(),
            LossMask = IsFull ? _counted : _counted?[..tokens.Length],
            Documents = _documents?.ToArray(),
        };
        _documents?.Clear();
        _documentStarts?.Clear();
        _batch = arrays.Rent();
        _counted = CreateMask(options);
        _rows = 0;
        statistics.Mix.Add(bytes: 0, lines: 0, Stopwatch.GetElapsedTime(began), tokens: tokens.Length);
        return batch;
    }

    /// <summary>The end of all sources: complete blocks that fill no batch, as a batch of fewer rows where those are wanted.</summary>
    public TokenBatch? Finish(bool keepFewerRows)
    {
        if (keepFewerRows && _rows > 0)
            return Emit();
        statistics.AddDropped(_rows * options.BlockSize);
        return null;
    }

    private static bool[]? CreateMask(PipelineOptions options) => options.Instructions is null ? null : new bool[options.Rows * options.BlockSize];

    private IEnumerable<BatchDocument> DocumentsOf(int source, TokenBlocks blocks, int block)
    {
        var files = start.Sources[source].Files;
        var row = _rows - 1;
        var known = false;
        foreach (var (begin, count, position) in blocks.DocumentsIn(block))
        {
            known = true;
            yield return new(options.Sources[source].Name, files[position.File].Name, position, row, begin, count);
        }
        if (!known)
            yield return new(options.Sources[source].Name, files[blocks.PlaceAfter(block).Position.File].Name, blocks.PlaceAfter(block).Position, row, 0, options.BlockSize);
    }

    private void AddStarts(TokenBuffer starts, int begin, TokenBlocks blocks, int block)
    {
        starts.Add(begin);
        foreach (var start in blocks.StartsIn(block))
        {
            if (start % options.BlockSize > 0)
                starts.Add(begin + start % options.BlockSize);
        }
    }
}
