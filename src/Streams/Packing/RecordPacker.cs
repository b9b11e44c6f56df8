using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>
/// Packs whole records, in their order: one that does not fit into what is left of a block begins the next, and the rest of
/// the block is padding. No record is longer than a block. At the end of the text the last block is padded too.
/// </summary>
/// <param name="padding">The token that fills blocks up.</param>
/// <inheritdoc cref="BlockPacker(int, SourcePlace, SourcePosition, bool, LineBatchPool, TokenBlocksPool, PipelineStatistics, SourceStatistics)"/>
internal sealed class RecordPacker(
    int padding, int blockSize, SourcePlace start, SourcePosition epochStart, bool endless, LineBatchPool lines, TokenBlocksPool blocks,
    PipelineStatistics statistics, SourceStatistics source)
    : BlockPacker(blockSize, start, epochStart, endless, lines, blocks, statistics, source)
{
    private SourcePlace _afterLast; // of the records in the block that is not complete

    protected override void Fill(LineBatch input)
    {
        var documents = input.Documents;
        var tokens = input.Tokens.Span;
        for (; Document < documents.Length; Document++)
        {
            ref var document = ref documents[Document];
            // A cursor stands between records, so one that has been taken was taken whole.
            if (document.TokenEnd > Taken && !TryAdd(input, document, tokens[DocumentBegin..document.TokenEnd]))
                return;
            DocumentBegin = document.TokenEnd;
        }
    }

    protected override void CompleteLast()
    {
        if (Blocks.Pending > 0)
            Statistics.AddPadding(Blocks.FillUp(padding, _afterLast));
    }

    private bool TryAdd(LineBatch input, in DocumentMark document, ReadOnlySpan<int> record)
    {
        if (Blocks.IsFull)
            return false;
        if (record.Length > Blocks.Room.Length)
        {
            CompleteLast();
            if (Blocks.IsFull)
                return false;
        }
        Blocks.BeginDocument();
        record.CopyTo(Blocks.Room);
        Blocks.MarkAnswer(document.PromptTokens, record.Length);
        Blocks.Record(record.Length, document.Position);
        Taken = document.TokenEnd;
        _afterLast = PlaceIn(input, document);
        Blocks.Advance(record.Length, _afterLast);
        return true;
    }
}
