using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>
/// Packs running text, as group_texts of run_clm.py does, but over the whole of it: a block begins where the one before it
/// ended, in whichever document or epoch that was. At the end of the text an incomplete block is dropped.
/// </summary>
/// <inheritdoc cref="BlockPacker(int, SourcePlace, SourcePosition, bool, LineBatchPool, TokenBlocksPool, PipelineStatistics, SourceStatistics)"/>
internal sealed class TextPacker(
    int blockSize, SourcePlace start, SourcePosition epochStart, bool endless, LineBatchPool lines, TokenBlocksPool blocks,
    PipelineStatistics statistics, SourceStatistics source)
    : BlockPacker(blockSize, start, epochStart, endless, lines, blocks, statistics, source)
{
    protected override void Fill(LineBatch input)
    {
        var documents = input.Documents;
        var tokens = input.Tokens.Span;
        for (; Document < documents.Length; Document++)
        {
            ref var document = ref documents[Document];
            while (Taken < document.TokenEnd)
            {
                if (Blocks.IsFull)
                    return;
                if (Taken == DocumentBegin && (document.Position.Part == 0 || input.Window is not null))
                    Blocks.BeginDocument();
                var room = Blocks.Room;
                var count = Math.Min(room.Length, document.TokenEnd - Taken);
                tokens.Slice(Taken, count).CopyTo(room);
                Taken += count;
                Blocks.Record(count, document.Position);
                Blocks.Advance(count, PlaceIn(input, document));
            }
            DocumentBegin = document.TokenEnd;
        }
    }
}
