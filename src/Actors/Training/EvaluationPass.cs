using System.Diagnostics;
using Streaming.Model.Engines;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>One evaluation over the held-out batches, a batch at a time so that commands are served in between.</summary>
internal sealed class EvaluationPass(IReadOnlyList<TokenBatch> heldOut)
{
    private readonly long _began = Stopwatch.GetTimestamp();
    private int _next;
    private double _weightedLoss;
    private long _predictions;

    /// <returns>True once every batch is evaluated.</returns>
    public bool Advance(ITrainingEngine engine)
    {
        if (_next == heldOut.Count)
            return true;
        var batch = heldOut[_next++];
        var predictions = batch.ToMicroBatch().WriteLabels(new int[batch.Rows * batch.BlockSize]); // batches of fewer rows weigh less
        _weightedLoss += engine.Evaluate(batch.ToMicroBatch()) * predictions;
        _predictions += predictions;
        return _next == heldOut.Count;
    }

    public TrainerProtocol.EvaluationCompleted Result(long step) =>
        new(step, _weightedLoss / _predictions, heldOut.Count, Stopwatch.GetElapsedTime(_began));
}
