using Streaming.Streams.Documents;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Instructions;

/// <summary>What a model is asked, and what it should answer.</summary>
public sealed record InstructionRecord(string Instruction, string Input, string Answer)
{
    /// <summary>The records of all sources on one side of the held-out split, each once, in the order of the text. Bad ones are passed over as in training.</summary>
    /// <param name="options">With <see cref="PipelineOptions.Instructions"/>.</param>
    /// <param name="split">The side.</param>
    /// <param name="stop">Ends the reading.</param>
    /// <exception cref="SourceException">A file is missing or malformed, or holds no such records.</exception>
    public static IEnumerable<InstructionRecord> Read(PipelineOptions options, Split split, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options.Instructions);
        options = options.WithEpochs(1) with { Shuffle = null };
        OptionChecks.Require(options, split);
        return options.Sources.SelectMany(source => Read(source, options, split, stop));
    }

    private static IEnumerable<InstructionRecord> Read(SourceOptions source, PipelineOptions options, Split split, CancellationToken stop) =>
        Places(SourceFiles.Of(source, options, split), options, split, new SourceStatistics(source.Name, options.OnNotice), stop).Select(place => Of(place.Lines, place.First));

    /// <summary>Where the records of one pass over a source stand, while the enumeration is there.</summary>
    internal static IEnumerable<(SourcePosition Position, TextBatch Lines, int First)> Places(
        SourceFiles files, PipelineOptions options, Split split, SourceStatistics counts, CancellationToken stop)
    {
        var pool = new LineBatchPool();
        var reader = new SourceReader(files, split, epochs: 1, files.StartOf(0), options.TextBatchBytes, pool, new StageStatistics("read"), counts);
        foreach (var batch in reader.Read(stop))
        {
            DocumentExtraction.Extract(batch);
            if (options.ValidationRule == ValidationRule.Hash || options.ValidationFraction == 0)
                DocumentHash.KeepSide(batch, split, options.ValidationFraction);
            for (var index = 0; index < batch.Documents.Length; index++)
            {
                if (!batch.Documents[index].IsDropped)
                    yield return (batch.Documents[index].Position, batch.Lines, batch.Documents[index].LineEnd - InstructionFormat.LinesOfRecord);
            }
            pool.Return(batch);
        }
    }

    private static InstructionRecord Of(TextBatch lines, int first) => new(
        lines[first + InstructionFormat.Instruction].ToString(), lines[first + InstructionFormat.Input].ToString(), lines[first + InstructionFormat.Answer].ToString());
}
