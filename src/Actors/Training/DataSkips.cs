namespace Streaming.Actors;

/// <summary>
/// Text to be left out when the run comes to a step again. Filled by the supervisor while the trainer stands still, read by the
/// trainer; a process that is killed forgets it, meets the same spike at the same step and decides the same.
/// </summary>
internal sealed class DataSkips
{
    private readonly Dictionary<long, (long Batches, string Reason)> _before = [];

    public bool Any => _before.Count > 0;

    /// <param name="step">The step before which batches are left out.</param>
    /// <param name="batches">So many more of them.</param>
    /// <param name="reason">What they had led to.</param>
    public void Add(long step, long batches, string reason) =>
        _before[step] = (_before.GetValueOrDefault(step).Batches + batches, reason);

    /// <summary>What is left out before a step.</summary>
    public (long Batches, string Reason) Before(long step) => _before.GetValueOrDefault(step, (0, ""));
}
