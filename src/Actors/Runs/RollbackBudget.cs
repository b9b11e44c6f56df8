namespace Streaming.Actors;

/// <summary>
/// Counts rollbacks in a row. A checkpoint written at or beyond the furthest step that failed shows that the run got past
/// its trouble, and the count begins anew; so a run neither dies of three faults in three weeks nor repeats one for ever.
/// </summary>
internal sealed class RollbackBudget(int limit)
{
    private long _furthestFailure = -1;

    public int Limit => limit;

    /// <summary>Rollbacks since the run last got past its trouble.</summary>
    public int Spent { get; private set; }

    /// <returns>False where the budget is used up and the run must fail.</returns>
    public bool TrySpend(long failedStep)
    {
        if (Spent == limit)
            return false;
        Spent++;
        _furthestFailure = Math.Max(_furthestFailure, failedStep);
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
