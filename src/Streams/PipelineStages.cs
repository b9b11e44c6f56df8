using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Normalization;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;
using Streaming.Streams.Splitting;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams;

/// <summary>The stages of one text path, each made from the options and of use by itself; <see cref="TextPipeline"/> joins them.</summary>
internal sealed class PipelineStages
{
    private readonly PipelineOptions _options;
    private readonly Split _split;
    private readonly IReadOnlyList<SourceFile> _files;
    private readonly PipelineCursor _start;
    private readonly LineBatchPool _lines = new();

    /// <inheritdoc cref="TextPipeline.Batches"/>
    public PipelineStages(PipelineOptions options, Split split, PipelineCursor? cursor, UnigramTokenizer? tokenizer, PipelineStatistics statistics)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.BlockSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Workers);
        ArgumentOutOfRangeException.ThrowIfNegative(options.Epochs);
        if (options.ValidationFraction is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(options), options.ValidationFraction, "the validation fraction is from 0 up to (not including) 1");
        (_options, _split, Statistics) = (options, split, statistics);
        _files = SourceList.Expand(options.Sources);
        if (_files.Any(file => file.IsStandardInput))
            CheckStandardInput();
        cursor?.Verify(_files);
        _start = cursor ?? new PipelineCursor { Sources = [.. _files.Select(SourceIdentity.Of)], Position = default, Document = default, TokensTaken = 0 };

        tokenizer ??= UnigramTokenizer.Load(options.Tokenizer);
        if (options.AppendEndOfSentence && tokenizer.EosId is null)
            throw new SourceException($"the tokenizer {options.Tokenizer} has no end-of-sentence piece; use one that has, or do not append it.");
        var lineTokenizer = new LineTokenizer(tokenizer, options.AppendEndOfSentence ? tokenizer.EosId : null);
        Normalize = new LineWork(NormalizeAndSplit, statistics.Normalize);
        Tokenize = new LineWork(lineTokenizer.Encode, statistics.Tokenize);
        Arrays = new TokenArrayPool(options.Rows * options.BlockSize);
    }

    public PipelineStatistics Statistics { get; }

    /// <summary>Token arrays of batches; those of batches that are used up may be given back.</summary>
    public TokenArrayPool Arrays { get; }

    /// <summary>Lines to normalised sentences.</summary>
    public LineWork Normalize { get; }

    /// <summary>Sentences to tokens.</summary>
    public LineWork Tokenize { get; }

    public SourceReader CreateReader() => new(_files, _options.Epochs, _start.Position, _options.TextBatchBytes, _lines, Statistics);

    public DocumentSplit CreateSplit() => new(_split, _options.ValidationFraction, _start.Document);

    public BatchPacker CreatePacker() => new(_options.Rows, _options.BlockSize, _options.Epochs == 0, _start, _lines, Arrays, Statistics);

    private static void NormalizeAndSplit(LineBatch batch)
    {
        TextNormalization.NormalizeAndSplit(batch.Lines, batch.Next);
        batch.Replace();
    }

    private void CheckStandardInput()
    {
        if (_options.Epochs != 1)
            throw new SourceException($"standard input can be read once, not {(_options.Epochs == 0 ? "for ever" : $"{_options.Epochs} times")}; set epochs to 1 or name a file.");
        if (_split == Split.Validation)
            throw new SourceException("standard input cannot be read a second time for validation; name a file, or set validation-fraction to 0 and evaluate nothing.");
    }
}
