using System.Text.Json;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors;

/// <summary>
/// Text to be left out when the run comes to a step again, kept in <c>skips.json</c> of its folder: a process that is killed before a
/// checkpoint holds the decision does not take it anew. Filled by the supervisor while the trainer stands still, read by the trainer.
/// </summary>
internal sealed class DataSkips
{
    private readonly string _path;
    private readonly Dictionary<long, Skip> _before;

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
                return new(path, kept);
        }
        catch (Exception failure) when (failure is JsonException or IOException or UnauthorizedAccessException)
        {
            notice($"{path} cannot be read ({failure.Message.Split('\n')[0].TrimEnd('.')}): no text is left out because of what it led to before");
        }
        return new(path, []);
    }

    /// <param name="step">The step before which batches are left out.</param>
    /// <param name="batches">So many more of them.</param>
    /// <param name="reason">What they had led to.</param>
    public void Add(long step, long batches, string reason)
    {
        _before[step] = new(Before(step).Batches + batches, reason);
        try
        {
            DurableFiles.Write(_path, JsonSerializer.SerializeToUtf8Bytes(_before));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // A process that is killed meets the same failure at the same step, and decides the same.
        }
    }

    /// <summary>What is left out before a step.</summary>
    public Skip Before(long step) => _before.GetValueOrDefault(step, new(0, ""));
}
