using System.Globalization;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors;

/// <summary>Checkpoints that fail where a plan says so.</summary>
internal static class CheckpointFaults
{
    private static readonly TimeSpan s_slowness = TimeSpan.FromSeconds(2);

    /// <summary>The same checkpoints; writing one meets the plan's faults of its step, the last at which every file is there.</summary>
    public static CheckpointStore WithFaults(this CheckpointStore store, FaultPlan faults) => store.With(
        freeBytes: step => faults.Happens(FaultKind.FullDisk, step) ? 0 : null,
        beforeWriting: (step, path) =>
        {
            var name = Path.GetFileName(path);
            if (name == "state.json" && faults.Happens(FaultKind.CheckpointWrite, step))
                throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{path}: input/output error, by plan"));
            if (name == "state.json" && faults.Happens(FaultKind.SlowCheckpoint, step))
                Thread.Sleep(s_slowness);
            if (name is "optimizer.safetensors" && faults.Happens(FaultKind.KillInCheckpoint, step))
                FaultPlan.Kill();
        });
}
