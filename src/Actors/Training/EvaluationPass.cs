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
        // Every token of a row but the first is predicted: batches of fewer rows weigh less.
        var predictions = (long)batch.Rows * (batch.BlockSize - 1);
        _weightedLoss += engine.Evaluate(batch.Tokens.AsSpan(0, batch.Rows * batch.BlockSize), batch.Rows) * predictions;
        _predictions += predictions;
        return _next == heldOut.Count;
    }

    public TrainerProtocol.EvaluationCompleted Result(long step) =>
        new(step, _weightedLoss / _predictions, heldOut.Count, Stopwatch.GetElapsedTime(_began));
}
