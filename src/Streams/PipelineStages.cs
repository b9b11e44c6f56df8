using Streaming.Streams.Batches;
using Streaming.Streams.Caching;
using Streaming.Streams.Documents;
using Streaming.Streams.Instructions;
using Streaming.Streams.Measurement;
using Streaming.Streams.Mixing;
using Streaming.Streams.Normalization;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams;

/// <summary>The stages of one text path, made from the options; <see cref="TextPipeline"/> joins them.</summary>
internal sealed class PipelineStages
{
    private readonly PipelineOptions _options;
    private readonly PipelineCursor _start;

    /// <inheritdoc cref="TextPipeline.Batches"/>
    public PipelineStages(
        PipelineOptions options, Split split, PipelineCursor? cursor, string? stateFolder, TextTokenizer? tokenizer, PipelineStatistics statistics)
    {
        OptionChecks.Require(options, split);
        if (split == Split.Validation)
            options = options.WithEpochs(1); // every evaluation is on the same text
        (_options, Statistics) = (options, statistics);
        tokenizer ??= TextTokenizer.Load(options.Tokenizer);
        if ((options.AppendEndOfSentence || options.Instructions is not null) && tokenizer.EosId is null)
            throw new SourceException($"the tokenizer {options.Tokenizer} has no end-of-sentence piece; use one that has{(options.Instructions is null ? ", or do not append it" : ", as an answer needs an end")}.");
        var text = TextIdentity.Of(options, tokenizer.Fingerprint);
        cursor?.Verify(text);

        Blocks = new TokenBlocksPool(options.BlockSize, options.RecordDocuments, marksAnswers: options.Instructions is not null);
        Arrays = new TokenArrayPool(options.Rows * options.BlockSize);

        var files = options.Sources.Select(source => SourceFiles.Of(source, options, split)).ToList();
        _start = StartingPoint.Of(options, text, files, cursor);
        statistics.Sources = [.. options.Sources.Select(source => new SourceStatistics(source.Name, split == Split.Train ? options.OnNotice : null))];
        Sources = [.. options.Sources.Select((source, index) =>
        {
            var from = _start.Sources[index];
            var state = PipelineState.Find(cursor, source.Name, stateFolder);
            var cache = options.TokenCache is { } folder && split == Split.Train
                ? new CachePlan(
                    TokenCache.Find(folder, text, from, options.BlockSize, tokenizer.VocabularySize), source.Epochs, options.Shuffle?.Seed,
                    blocksTaken: from.Tokens / options.BlockSize, mayGoOn: from.Place.DuplicateEntries == 0 || File.Exists(state))
                : null;
            var place = cache is { GoesOn: false } ? SourceCursor.AtStart(source, files[index]).Place : from.Place;
            var filter = DocumentFilters.Of(source, statistics.Sources[index].Cleaning, writesRejected: split == Split.Train);
            if (filter is not null && cache is not { ReadsText: false })
                PipelineState.Restore(filter, source.Name, place.DuplicateEntries, state);
            var encode = options.Instructions is { } instructions
                ? EncodeRecords(tokenizer, instructions, files[index], statistics.Sources[index])
                : EncodeText(tokenizer);
            return new SourceStages(
                options, source, split, files[index], filter, place, cache, encode, tokenizer.PadId ?? tokenizer.EosId ?? 0, Blocks, statistics, statistics.Sources[index]);
        })];
    }

    public PipelineStatistics Statistics { get; }

    /// <summary>Token arrays of batches; those of batches that are used up may be given back.</summary>
    public TokenArrayPool Arrays { get; }

    /// <summary>Blocks of the sources on their way to the mix.</summary>
    public TokenBlocksPool Blocks { get; }

    /// <summary>The stages of each source.</summary>
    public IReadOnlyList<SourceStages> Sources { get; }

    /// <summary>Whether a source had ended before the stream begins.</summary>
    public bool HasEnded(int source) => _start.Sources[source].EndedAfter is not null;

    /// <summary>Lines to sentences, where wanted, and sentences to tokens.</summary>
    private IReadOnlyList<LineWork> EncodeText(TextTokenizer tokenizer)
    {
        var encode = new LineWork(new LineTokenizer(tokenizer, _options.AppendEndOfSentence ? tokenizer.EosId : null).Encode, Statistics.Tokenize);
        return _options.Normalize ? [new LineWork(TextNormalization.NormalizeAndSplit, Statistics.Normalize), encode] : [encode];
    }

    /// <summary>Records to tokens, as they are.</summary>
    private IReadOnlyList<LineWork> EncodeRecords(TextTokenizer tokenizer, InstructionOptions instructions, SourceFiles files, SourceStatistics counts) =>
        [new LineWork(new RecordTokenizer(tokenizer, instructions, _options.BlockSize, files, counts).Encode, Statistics.Tokenize)];

    public BatchAssembler CreateAssembler() => new(_options, _start, Arrays, Statistics);

    /// <inheritdoc cref="BatchStream.StateAt"/>
    public IReadOnlyList<PipelineState> StateAt(PipelineCursor cursor) => PipelineState.Of(cursor, Sources);
}
