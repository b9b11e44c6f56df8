using Streaming.Model.Engines;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>What the text path hands out, as the engines take it.</summary>
public static class MicroBatches
{
    public static MicroBatch ToMicroBatch(this TokenBatch batch) => new(batch.Tokens.AsSpan(0, batch.Rows * batch.BlockSize), batch.Rows)
    {
        DocumentStarts = batch.DocumentStarts,
        LossMask = batch.LossMask,
    };
}
