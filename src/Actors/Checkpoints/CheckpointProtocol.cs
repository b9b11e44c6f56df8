using Streaming.Model.Checkpoints;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>What the checkpoint writer is told and what it says.</summary>
public static class CheckpointProtocol
{
    internal interface ICommand;

    /// <summary>The newest whole checkpoint, please; answered by <see cref="Newest"/>, after every write asked for before.</summary>
    /// <param name="Request">Comes back in the answer, so that a restarted trainer knows its own.</param>
    internal sealed record FindNewest(object Request) : ICommand;

    /// <summary>What the trainer goes on from.</summary>
    /// <param name="Checkpoint">A whole checkpoint; null where the run begins from nothing.</param>
    /// <param name="Request">The question's.</param>
    internal sealed record Newest(Checkpoint? Checkpoint, object Request);

    /// <summary>Write a snapshot; answered by <see cref="Written"/>, <see cref="Failed"/>, <see cref="Unfit"/> or <see cref="GivenUp"/>.</summary>
    /// <param name="Snapshot">The engine's state, held for the writer, which releases it before it answers.</param>
    /// <param name="State">Where the run stands.</param>
    /// <param name="Pipeline">What the text path keeps beside the cursor of <paramref name="State"/>.</param>
    /// <param name="Unwanted">A later one is waited for more.</param>
    internal sealed record Write(EngineSnapshot Snapshot, TrainingState State, IReadOnlyList<PipelineState> Pipeline, CancellationToken Unwanted = default) : ICommand;

    /// <summary>A whole checkpoint lies on disk, verified, and older ones beyond the limit are gone.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="Path">Full path of the checkpoint's folder.</param>
    /// <param name="Bytes">Size of its files.</param>
    /// <param name="Elapsed">Wall time from snapshot to rename, reading back included.</param>
    /// <param name="Stall">Time that training stood still for it.</param>
    /// <param name="EvaluationLoss">Validation loss of these weights; null where they were not evaluated.</param>
    public sealed record Written(long Step, string Path, long Bytes, TimeSpan Elapsed, TimeSpan Stall = default, double? EvaluationLoss = null) : RunProtocol.IEvent
    {
        public double BytesPerSecond => Bytes / Math.Max(Elapsed.TotalSeconds, 1e-9);
    }

    /// <summary>A checkpoint could not be written; older ones are untouched and the run goes on.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="Reason">What failed, in one sentence.</param>
    public sealed record Failed(long Step, string Reason) : RunProtocol.IEvent;

    /// <summary>A checkpoint was not wanted any more before it was whole; older ones are untouched.</summary>
    /// <param name="Step">Steps taken.</param>
    internal sealed record GivenUp(long Step);

    /// <summary>A snapshot holds a weight that is not a number: nothing of it was kept.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="What">Which weight, in words.</param>
    internal sealed record Unfit(long Step, string What);
}
