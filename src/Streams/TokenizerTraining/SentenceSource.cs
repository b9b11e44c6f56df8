using Akka.Streams;
using Akka.Streams.Dsl;
using Streaming.Streams.Batches;
using Streaming.Streams.Documents;
using Streaming.Streams.Measurement;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>The sentences of a run's sources, by the same way as to its tokens: extraction, cleaning, normalisation.</summary>
public static class SentenceSource
{
    /// <summary>
    /// Reads each source once, one after the other, both sides of the held-out split; weights, epochs and order do not count.
    /// A batch is valid until the next is asked for.
    /// </summary>
    /// <exception cref="SourceException">A source is missing or empty, or cannot be read to its end.</exception>
    public static IEnumerable<TextBatch> Read(PipelineOptions options, IMaterializer materializer, CancellationToken stop)
    {
        options = options.WithEpochs(1) with { ValidationFraction = 0, Shuffle = null, TokenCache = null };
        OptionChecks.Require(options, Split.Train);
        var statistics = new PipelineStatistics();
        LineWork[] normalize = options.Normalize ? [new(Normalization.TextNormalization.NormalizeAndSplit, statistics.Normalize)] : [];
        var sources = options.Sources.Select(source =>
        {
            var files = SourceFiles.Of(source, options, Split.Train);
            return new SourceStages(
                options, source, Split.Train, files, DocumentFilters.Of(source), SourceCursor.AtStart(source, files).Place, cache: null,
                normalize, padding: 0, new TokenBlocksPool(options.BlockSize), statistics, new SourceStatistics(source.Name, options.OnNotice));
        }).ToList(); // names every missing file before reading begins
        return sources.SelectMany(source => Read(source, materializer, stop));
    }

    private static IEnumerable<TextBatch> Read(SourceStages source, IMaterializer materializer, CancellationToken stop)
    {
        var batches = source.Read()
            .Via(source.Prepare())
            .Via(source.Admit())
            .Via(source.Encode())
            .RunAsAsyncEnumerable(materializer);
        var kept = new TextBatch();
        foreach (var batch in batches.ToBlockingEnumerable(stop))
        {
            kept.Clear();
            var line = 0;
            foreach (var document in batch.Documents)
            {
                for (; line < document.LineEnd; line++)
                {
                    if (!document.IsDropped)
                        kept.AppendLine(batch.Lines[line]);
                }
            }
            yield return kept;
        }
    }
}
