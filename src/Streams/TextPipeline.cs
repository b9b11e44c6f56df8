using Akka;
using Akka.Streams.Dsl;
using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams;

/// <summary>The way from text to batches of tokens, as one graph.</summary>
public static class TextPipeline
{
    /// <summary>
    /// The batches of one side of the split, in the order of the text, whatever the number of workers. No text is read
    /// before the source runs. It fails with a <see cref="SourceException"/> where a file cannot be read to its end.
    /// At the end of the text an incomplete block is dropped; an incomplete batch is dropped in training and emitted with
    /// fewer rows in validation.
    /// </summary>
    /// <param name="options">Sources, sizes, workers.</param>
    /// <param name="split">The side of the held-out split to yield.</param>
    /// <param name="cursor">Of a batch: yields what came after it, bit for bit. Null starts at the beginning.</param>
    /// <param name="tokenizer">The model that <see cref="PipelineOptions.Tokenizer"/> names, where it is loaded already.</param>
    /// <param name="statistics">Counts what the stages do.</param>
    /// <exception cref="SourceException">A source is missing or empty, or the cursor does not fit the sources.</exception>
    /// <exception cref="InvalidDataException">The tokenizer's file is no usable model.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive, or the fraction not in [0, 1).</exception>
    public static Source<TokenBatch, NotUsed> Batches(
        PipelineOptions options, Split split, PipelineCursor? cursor = null, UnigramTokenizer? tokenizer = null, PipelineStatistics? statistics = null) =>
        Join(new PipelineStages(options, split, cursor, tokenizer, statistics ?? new PipelineStatistics()), options, split);

    internal static Source<TokenBatch, NotUsed> Join(PipelineStages stages, PipelineOptions options, Split split)
    {
        var normalize = options.Normalize
            ? stages.Normalize.Flow(options.Workers)
            : Flow.Create<Text.LineBatch>();
        return Source.FromGraph(new ReadSources(stages.CreateReader(), stages.Statistics.Read))
            .Via(stages.Prepare.Flow(options.Workers))
            .Via(normalize)
            .Via(stages.Tokenize.Flow(options.Workers)) // keeps order
            .Via(new PackBatches(stages.CreatePacker, keepFewerRows: split == Split.Validation))
            .Named("text-to-batches");
    }
}
