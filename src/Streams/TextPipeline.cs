using Akka;
using Akka.Streams;
using Akka.Streams.Dsl;
using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Mixing;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams;

/// <summary>The way from text to batches of tokens, as one graph.</summary>
public static class TextPipeline
{
    /// <summary>
    /// The batches of one side of the split, the same whatever the number of workers and the speed of the sources. No text is
    /// read before the graph runs. It fails with a <see cref="SourceException"/> where a file cannot be read to its end.
    /// At the end of a source an incomplete block is dropped; at the end of all an incomplete batch is dropped in training
    /// and emitted with fewer rows in validation. Held-out text is mixed by the same weights, and each source read once.
    /// </summary>
    /// <param name="options">Sources, sizes, workers.</param>
    /// <param name="split">The side of the held-out split to yield.</param>
    /// <param name="cursor">Of a batch: yields what came after it, bit for bit. Null starts at the beginning.</param>
    /// <param name="tokenizer">The model that <see cref="PipelineOptions.Tokenizer"/> names, where it is loaded already.</param>
    /// <param name="statistics">Counts what the stages do.</param>
    /// <param name="stateFolder">Holds the files that were written with the cursor (<see cref="BatchStream.StateAt"/>); null where there were none.</param>
    /// <exception cref="SourceException">A source is missing or empty, or the cursor does not fit the sources or the options.</exception>
    /// <exception cref="InvalidDataException">The tokenizer's file is no usable model.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A size or weight is not positive, or the fraction not in [0, 1).</exception>
    public static Source<TokenBatch, NotUsed> Batches(
        PipelineOptions options, Split split, PipelineCursor? cursor = null, TextTokenizer? tokenizer = null,
        PipelineStatistics? statistics = null, string? stateFolder = null) =>
        Join(new PipelineStages(options, split, cursor, stateFolder, tokenizer, statistics ?? new PipelineStatistics()), split);

    internal static Source<TokenBatch, NotUsed> Join(PipelineStages stages, Split split) =>
        Mix(stages, [.. stages.Sources.Select((source, index) => stages.HasEnded(index) ? Source.Empty<TokenBlocks>() : Blocks(source, stages.Statistics))], split)
            .Named("text-to-batches");

    private static Source<TokenBlocks, NotUsed> Blocks(SourceStages source, PipelineStatistics stages)
    {
        // These work on a batch in one go, on one thread: they wait together.
        StageStatistics[] prepare = [stages.Extract, stages.Clean], encode = [stages.Normalize, stages.Tokenize];
        return source.Read()
            .Via(new MeasureStalls<LineBatch>([stages.Read], prepare))
            .Via(source.Prepare())
            .Via(new MeasureStalls<LineBatch>(prepare, [stages.Split]))
            .Via(source.Admit())
            .Via(new MeasureStalls<LineBatch>([stages.Split], encode))
            .Via(source.Encode())
            .Via(new MeasureStalls<LineBatch>(encode, [stages.Shuffle]))
            .Via(source.Shuffle())
            .Via(new MeasureStalls<LineBatch>([stages.Shuffle], [stages.Pack]))
            .Via(source.Pack())
            .Via(new MeasureStalls<TokenBlocks>([stages.Pack], [stages.Mix]))
            .Via(source.Cache());
    }

    private static Source<TokenBatch, NotUsed> Mix(PipelineStages stages, IReadOnlyList<Source<TokenBlocks, NotUsed>> sources, Split split) =>
        Source.FromGraph(GraphDsl.Create(graph =>
        {
            var mix = graph.Add(new MixSources(sources.Count, stages.CreateAssembler, stages.Blocks, keepFewerRows: split == Split.Validation));
            for (var index = 0; index < sources.Count; index++)
                graph.From(sources[index]).To(mix.In(index));
            return new SourceShape<TokenBatch>(mix.Out);
        }));
}
