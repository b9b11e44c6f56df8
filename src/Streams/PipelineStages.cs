using Streaming.Streams.Batches;
using Streaming.Streams.Documents;
using Streaming.Streams.Measurement;
using Streaming.Streams.Normalization;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams;

/// <summary>The stages of one text path, each made from the options and of use by itself; <see cref="TextPipeline"/> joins them.</summary>
internal sealed class PipelineStages
{
    private readonly PipelineOptions _options;
    private readonly Split _split;
    private readonly SourceFiles _files;
    private readonly int _epochs;
    private readonly PipelineCursor _start;
    private readonly LineBatchPool _lines = new();

    /// <inheritdoc cref="TextPipeline.Batches"/>
    public PipelineStages(PipelineOptions options, Split split, PipelineCursor? cursor, UnigramTokenizer? tokenizer, PipelineStatistics statistics)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.BlockSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Workers);
        if (options.ValidationFraction is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(options), options.ValidationFraction, "the validation fraction is from 0 up to (not including) 1");
        (_options, _split, Statistics) = (options, split, statistics);
        var source = options.Sources.Single();
        _files = SourceFiles.Of(source);
        _epochs = split == Split.Validation ? 1 : source.Epochs;
        var files = Enumerable.Range(0, _files.Count).Select(index => _files[index]).ToList();
        if (files.Any(file => file.IsStandardInput))
            CheckStandardInput();
        cursor?.Verify(files);
        _start = cursor ?? new PipelineCursor { Sources = [.. files.Select(SourceIdentity.Of)], Position = default, TokensTaken = 0 };

        tokenizer ??= UnigramTokenizer.Load(options.Tokenizer);
        if (options.AppendEndOfSentence && tokenizer.EosId is null)
            throw new SourceException($"the tokenizer {options.Tokenizer} has no end-of-sentence piece; use one that has, or do not append it.");
        var lineTokenizer = new LineTokenizer(tokenizer, options.AppendEndOfSentence ? tokenizer.EosId : null);
        Prepare = new LineWork(PrepareDocuments, statistics.Split);
        Normalize = new LineWork(TextNormalization.NormalizeAndSplit, statistics.Normalize);
        Tokenize = new LineWork(lineTokenizer.Encode, statistics.Tokenize);
        Arrays = new TokenArrayPool(options.Rows * options.BlockSize);
    }

    public PipelineStatistics Statistics { get; }

    /// <summary>Token arrays of batches; those of batches that are used up may be given back.</summary>
    public TokenArrayPool Arrays { get; }

    /// <summary>Raw records to documents, those of the other side dropped.</summary>
    public LineWork Prepare { get; }

    /// <summary>Lines to normalised sentences.</summary>
    public LineWork Normalize { get; }

    /// <summary>Sentences to tokens.</summary>
    public LineWork Tokenize { get; }

    public SourceReader CreateReader() => new(_files, _epochs, _start.Position, _options.TextBatchBytes, _lines, Statistics);

    public BatchPacker CreatePacker() => new(_options.Rows, _options.BlockSize, _epochs == 0, _start, _lines, Arrays, Statistics);

    private void PrepareDocuments(LineBatch batch)
    {
        batch.Format.Extract(batch);
        var line = 0;
        foreach (ref var document in batch.Documents)
        {
            if (document.Position.Part == 0 && line < document.LineEnd)
                document.Hash = DocumentHash.Of(batch.Lines[line]);
            line = document.LineEnd;
            document.IsDropped |= DocumentHash.SideOf(document.Hash, _options.ValidationFraction) != _split;
        }
    }

    private void CheckStandardInput()
    {
        if (_epochs != 1)
            throw new SourceException($"standard input can be read once, not {(_epochs == 0 ? "for ever" : $"{_epochs} times")}; set epochs to 1 or name a file.");
        if (_split == Split.Validation)
            throw new SourceException("standard input cannot be read a second time for validation; name a file, or set validation-fraction to 0 and evaluate nothing.");
    }
}
