using Akka;
using Akka.Streams.Dsl;
using Streaming.Streams.Batches;
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
/// <param name="start">Where to begin.</param>
/// <param name="encode">Documents to tokens.</param>
/// <param name="blocks">Gives memory.</param>
/// <param name="statistics">Counts what the stages do for all sources.</param>
/// <param name="counts">Counts what this source yields.</param>
internal sealed class SourceStages(
    PipelineOptions options, SourceOptions source, Split split, SourceFiles files, IDocumentFilter? filter, SourceCursor start,
    IReadOnlyList<LineWork> encode, TokenBlocksPool blocks, PipelineStatistics statistics, SourceStatistics counts)
{
    private readonly LineBatchPool _lines = new();

    /// <summary>Raw records, as batches of whole documents.</summary>
    public Source<LineBatch, NotUsed> Read() => Source.FromGraph(new ReadSources(CreateReader(), statistics.Read));

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

    public SourceReader CreateReader() =>
        new(files, source.Epochs, start.Place.Position, options.TextBatchBytes, _lines, statistics);

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
            if (options.ValidationRule == ValidationRule.Hash)
                DocumentHash.KeepSide(batch, split, options.ValidationFraction);
        },
        statistics.Split);

    public BlockPacker CreatePacker() => new(
        options.BlockSize, start.Place, files.StartOf(start.Place.Position.Epoch), endless: source.Epochs == 0, _lines, blocks, statistics, counts);

    /// <summary>Writes the source's duplicate index as it was at a cursor; null where there is none.</summary>
    public Action<Stream>? StateAt(SourceCursor cursor) =>
        filter is not null && cursor.Place.DuplicateEntries > 0 ? stream => filter.Save(cursor.Place.DuplicateEntries, stream) : null;
}
