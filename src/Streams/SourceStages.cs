using Akka;
using Akka.Streams.Dsl;
using Streaming.Streams.Batches;
using Streaming.Streams.Caching;
using Streaming.Streams.Documents;
using Streaming.Streams.Measurement;
using Streaming.Streams.Packing;
using Streaming.Streams.Shuffling;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams;

/// <summary>The stages of one source, from its files to its blocks, each of use by itself.</summary>
/// <param name="options">The path's.</param>
/// <param name="source">The source's.</param>
/// <param name="split">The side of the held-out split to yield.</param>
/// <param name="files">The source's files.</param>
/// <param name="filter">Cleans; null where the text is taken as it is.</param>
/// <param name="start">Where the text begins.</param>
/// <param name="cache">How the blocks are cached; null where they are not.</param>
/// <param name="encode">Documents to tokens.</param>
/// <param name="padding">Fills blocks of whole records up; no effect on running text.</param>
/// <param name="blocks">Gives memory.</param>
/// <param name="statistics">Counts what the stages do for all sources.</param>
/// <param name="counts">Counts what this source yields.</param>
internal sealed class SourceStages(
    PipelineOptions options, SourceOptions source, Split split, SourceFiles files, IDocumentFilter? filter, SourcePlace start,
    CachePlan? cache,
    IReadOnlyList<LineWork> encode, int padding, TokenBlocksPool blocks, PipelineStatistics statistics, SourceStatistics counts)
{
    private readonly LineBatchPool _lines = new();

    /// <summary>Passes over the text.</summary>
    private int Epochs => cache is null ? source.Epochs : 1;

    /// <summary>Raw records, as batches of whole documents.</summary>
    public Source<LineBatch, NotUsed> Read() => cache is { ReadsText: false }
        ? Source.Empty<LineBatch>()
        : Source.FromGraph(new ReadSources(CreateReader(), statistics.Read));

    /// <summary>Raw records to cleaned lines, in parallel.</summary>
    public Flow<LineBatch, LineBatch, NotUsed> Prepare() => LineWork.Flow(options.Workers, [.. CreatePreparation()]);

    /// <summary>Drops duplicates and what is on the other side of the split, in order.</summary>
    public Flow<LineBatch, LineBatch, NotUsed> Admit() => Flow.Create<LineBatch>().Select(CreateAdmission().Run);

    /// <summary>Lines to tokens, in parallel.</summary>
    public Flow<LineBatch, LineBatch, NotUsed> Encode() => LineWork.Flow(options.Workers, encode);

    /// <summary>Documents in the order in which they are used.</summary>
    public Flow<LineBatch, LineBatch, NotUsed> Shuffle() => options.Shuffle is { } shuffle && split == Split.Train
        ? Flow.FromGraph(new ShuffleDocuments(shuffle, _lines, statistics.Shuffle))
        : Flow.Create<LineBatch>();

    /// <summary>Tokens to blocks.</summary>
    public Flow<LineBatch, TokenBlocks, NotUsed> Pack() => Flow.FromGraph(new PackBlocks(CreatePacker));

    /// <summary>Blocks by way of the cache, where there is one.</summary>
    public Flow<TokenBlocks, TokenBlocks, NotUsed> Cache() => cache is null
        ? Flow.Create<TokenBlocks>()
        : Flow.FromGraph(new CacheBlocks(cache, blocks, counts));

    public SourceReader CreateReader() =>
        new(files, split, Epochs, start.Position, options.TextBatchBytes, _lines, statistics.Read, counts);

    public IEnumerable<LineWork> CreatePreparation()
    {
        yield return new LineWork(DocumentExtraction.Extract, statistics.Extract);
        if (filter is not null)
            yield return new LineWork(filter.Examine, statistics.Clean);
    }

    public LineWork CreateAdmission() => new(
        batch =>
        {
            filter?.Admit(batch);
            if (options.ValidationRule == ValidationRule.Hash || options.ValidationFraction == 0)
                counts.AddHeldOut(DocumentHash.KeepSide(batch, split, options.ValidationFraction));
        },
        statistics.Split);

    /// <summary>The documents' way to tokens.</summary>
    public IReadOnlyList<LineWork> Encoding => encode;

    public BlockPacker CreatePacker() => options.Instructions is null
        ? new TextPacker(options.BlockSize, start, files.StartOf(start.Position.Epoch), endless: Epochs == 0, _lines, blocks, statistics, counts)
        : new RecordPacker(padding, options.BlockSize, start, files.StartOf(start.Position.Epoch), endless: Epochs == 0, _lines, blocks, statistics, counts);

    /// <summary>Writes the source's duplicate index as it was at a cursor; null where there is none.</summary>
    public Action<Stream>? StateAt(SourceCursor cursor) =>
        filter is not null && cursor.Place.DuplicateEntries > 0 && (cache is null || (cache.ReadsText && cursor.Place.Position.Epoch == 0)) ? stream => filter.Save(cursor.Place.DuplicateEntries, stream) : null;
}
