namespace Streaming.Actors;

/// <summary>What the checkpoint writer is told and what it says.</summary>
public static class CheckpointProtocol
{
    internal interface ICommand;

    /// <summary>A whole checkpoint lies on disk, verified, and older ones beyond the limit are gone.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="Path">Full path of the checkpoint's folder.</param>
    /// <param name="Bytes">Size of its files.</param>
    /// <param name="Elapsed">Wall time from snapshot to rename.</param>
    public sealed record Written(long Step, string Path, long Bytes, TimeSpan Elapsed) : RunProtocol.IEvent;

    /// <summary>A checkpoint could not be written; older ones are untouched and the run goes on.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="Reason">What failed, in one sentence.</param>
    public sealed record Failed(long Step, string Reason) : RunProtocol.IEvent;
}
