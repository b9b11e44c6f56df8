namespace Streaming.Actors;

/// <summary>
/// Counts rollbacks in a row. A checkpoint written at or beyond the furthest step that failed shows that the run got past
/// its trouble, and the count begins anew; so a run neither dies of three faults in three weeks nor repeats one for ever.
/// </summary>
internal sealed class RollbackBudget(int limit, TimeSpan firstDelay = default)
{
    private long _furthestFailure = -1;

    public int Limit => limit;

    /// <summary>Rollbacks since the run last got past its trouble.</summary>
    public int Spent { get; private set; }

    /// <summary>The wait before the trainer begins again.</summary>
    public TimeSpan Delay { get; private set; }

    /// <param name="failedStep">The step that was being taken.</param>
    /// <param name="waits">Whether the cause may pass by itself, so that waiting helps.</param>
    /// <returns>False where the budget is used up and the run must fail.</returns>
    public bool TrySpend(long failedStep, bool waits = false)
    {
        if (Spent == limit)
            return false;
        Spent++;
        _furthestFailure = Math.Max(_furthestFailure, failedStep);
        var longest = TrainingOptions.LongestRestartDelay;
        Delay = waits ? TimeSpan.FromSeconds(Math.Min(longest.TotalSeconds, firstDelay.TotalSeconds * Math.Pow(2, Spent - 1))) : TimeSpan.Zero;
        return true;
    }

    public void CheckpointWritten(long step)
    {
        if (step < _furthestFailure)
            return;
        Spent = 0;
        _furthestFailure = -1;
    }
}
