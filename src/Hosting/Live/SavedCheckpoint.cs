using Streaming.Actors;

namespace Streaming.Hosting.Live;

/// <summary>The newest checkpoint: one that this process wrote, or the one that it went on from.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="Path">Full path of its folder.</param>
/// <param name="Bytes">Size of its files.</param>
/// <param name="Elapsed">Wall time of writing it; null where another process did.</param>
/// <param name="WrittenAt">When it was done.</param>
internal sealed record SavedCheckpoint(long Step, string Path, long Bytes, TimeSpan? Elapsed, DateTimeOffset WrittenAt)
{
    public static SavedCheckpoint Of(CheckpointProtocol.Written written, DateTimeOffset now) => new(written.Step, written.Path, written.Bytes, written.Elapsed, now);

    /// <summary>What a run goes on from; null for a run from the beginning, or where the folder is gone meanwhile.</summary>
    public static SavedCheckpoint? Of(RunProtocol.Started started)
    {
        if (started.Checkpoint is not { } path)
            return null;
        try
        {
            var folder = new DirectoryInfo(path);
            return new(started.Step, folder.FullName, folder.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length), null, folder.LastWriteTimeUtc);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
