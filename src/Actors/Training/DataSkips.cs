using System.Text.Json;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors;

/// <summary>
/// Text to be left out when the run comes to a step again, kept in <c>skips.json</c> of its folder: a process that is killed before a
/// checkpoint holds the decision does not take it anew. Filled by the supervisor while the trainer stands still, read by the trainer and by
/// whoever looks for the checkpoint to go on from.
/// </summary>
internal sealed class DataSkips
{
    private readonly string _path;
    private volatile Dictionary<long, Skip> _before; // never changed, but replaced

    private DataSkips(string path, Dictionary<long, Skip> before) => (_path, _before) = (path, before);

    /// <param name="Batches">How many are left out.</param>
    /// <param name="Reason">What they had led to.</param>
    public readonly record struct Skip(long Batches, string Reason);

    /// <summary>Whether there is something to leave out that a run at a step will come to.</summary>
    public bool AnyBeyond(long step)
    {
        foreach (var before in _before.Keys)
        {
            if (before > step)
                return true;
        }
        return false;
    }

    /// <param name="path">The file; need not exist.</param>
    /// <param name="notice">Told where it cannot be read: nothing is left out then.</param>
    public static DataSkips Open(string path, Action<string> notice)
    {
        try
        {
            if (File.Exists(path) && JsonSerializer.Deserialize<Dictionary<long, Skip>>(File.ReadAllBytes(path)) is { } kept)
                return new(path, kept.Where(skip => skip is { Key: > 0, Value.Batches: > 0 }).ToDictionary());
        }
        catch (Exception failure) when (failure is JsonException or IOException or UnauthorizedAccessException)
        {
            notice($"{path} cannot be read ({failure.Message.Split('\n')[0].TrimEnd('.')}): no text is left out because of what it led to before");
        }
        return new(path, []);
    }

    /// <summary>Leaves out the text of some steps. What was to be left out among them goes with it, so that none of it comes back.</summary>
    /// <param name="first">The first of the steps.</param>
    /// <param name="last">The last of them, which failed.</param>
    /// <param name="batches">What they take.</param>
    /// <param name="reason">What it led to.</param>
    public void Add(long first, long last, long batches, string reason)
    {
        var among = _before.Where(skip => skip.Key >= first && skip.Key <= last).ToList();
        Replace([.. among.Select(skip => skip.Key)], first, new(batches + among.Sum(skip => skip.Value.Batches), reason));
    }

    /// <summary>What is left out before a step.</summary>
    public Skip Before(long step) => _before.GetValueOrDefault(step, new(0, ""));

    /// <summary>Whether a checkpoint has left out what is to be left out up to its step; one that has not has learned from it.</summary>
    public bool AreIn(TrainingState checkpoint) => _before.All(skip => checkpoint.HasLeftOut(skip.Key, skip.Value.Batches));

    /// <summary>The run goes on from a checkpoint. Where that has learned from the first part of what is to be left out, the rest of it is left out behind it.</summary>
    /// <param name="checkpoint">Its state.</param>
    /// <param name="batchesPerStep">Micro-batches a step.</param>
    public void BeginFrom(TrainingState checkpoint, int batchesPerStep)
    {
        foreach (var (step, skip) in _before.Where(skip => !checkpoint.HasLeftOut(skip.Key, skip.Value.Batches)))
        {
            var learned = ((checkpoint.Step - step + 1) * batchesPerStep) + checkpoint.Skipped.Where(left => left.Step >= step && left.Step <= checkpoint.Step).Sum(left => left.Batches);
            var behind = checkpoint.Step + 1;
            Replace([step], behind, new(Before(behind).Batches + Math.Max(0, skip.Batches - learned), skip.Reason));
        }
    }

    private void Replace(IReadOnlyList<long> steps, long step, Skip skip)
    {
        var before = _before.Where(other => !steps.Contains(other.Key)).ToDictionary();
        if (skip.Batches > 0)
            before[step] = skip;
        _before = before;
        try
        {
            DurableFiles.Write(_path, JsonSerializer.SerializeToUtf8Bytes(before));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // A process that is killed meets the same failure at the same step, and decides the same.
        }
    }
}
