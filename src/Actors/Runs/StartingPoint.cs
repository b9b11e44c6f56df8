using System.Globalization;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors;

/// <summary>
/// Where a run begins, decided once: <c>run.resume</c> against what lies in the run directory. A refusal leaves
/// everything as it was.
/// </summary>
internal static class StartingPoint
{
    /// <summary>Checks what is there and sets aside what the run would overwrite.</summary>
    /// <returns>The checkpoint to begin from; null begins from nothing.</returns>
    /// <exception cref="CheckpointException">The run directory, or the named checkpoint, is of another model or damaged.</exception>
    /// <exception cref="RunRefusedException">There are checkpoints and none of them is whole.</exception>
    public static Checkpoint? Find(RunOptions options, RunDirectory directory, CheckpointStore store, Action<RunProtocol.IEvent> publish)
    {
        switch (options.Training.Resume)
        {
            case "auto":
                return Newest(options, directory, store, publish);
            case "never":
                SetAside(directory, step: null, publish);
                return null;
            default:
                var checkpoint = Checkpoint.Open(options.Training.Resume);
                ModelDifference.Refuse(checkpoint.Folder, checkpoint.Model, options.Model);
                AdapterDifference.Refuse(checkpoint, options.Training.Lora);
                var own = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(checkpoint.Folder))) == directory.CheckpointsPath;
                SetAside(directory, own ? checkpoint.Training.Step : null, publish);
                return checkpoint;
        }
    }

    private static Checkpoint? Newest(RunOptions options, RunDirectory directory, CheckpointStore store, Action<RunProtocol.IEvent> publish)
    {
        var search = store.FindNewestWhole(DataSkips.Open(directory.SkipsPath, _ => { }).AreIn);
        if (search.Newest is null && search.PassedOver.Count > 0)
            throw new RunRefusedException(
                $"no checkpoint in {directory.CheckpointsPath} is whole ({search.PassedOver[0]}): restore one, or begin anew with run.resume = never, which sets them aside");
        if (search.Newest is not null)
            AdapterDifference.Refuse(search.Newest, options.Training.Lora);
        foreach (var sentence in search.PassedOver)
            publish(new RunProtocol.Noticed(sentence));
        return search.Newest;
    }

    private static void SetAside(RunDirectory directory, long? step, Action<RunProtocol.IEvent> publish)
    {
        if (directory.SetAside(Present(directory), step) is { } target)
            publish(new RunProtocol.Noticed($"what lay in the run directory beyond the starting point is kept in {target}"));
    }

    private static IReadOnlyList<(string Path, long Step)> Present(RunDirectory directory) =>
        !Directory.Exists(directory.CheckpointsPath)
            ? []
            : [.. Directory.GetDirectories(directory.CheckpointsPath, "step-*")
                .Select(path => (path, IsStep: long.TryParse(Path.GetFileName(path).AsSpan("step-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var step), step))
                .Where(folder => folder.IsStep)
                .Select(folder => (folder.path, folder.step))];
}
