namespace Streaming.Actors.Tests.Runs;

public sealed class RollbackBudgetSpec
{
    [Fact]
    public void Failures_in_a_row_end_at_the_limit()
    {
        var budget = new RollbackBudget(2);
        Assert.True(budget.TrySpend(7));
        Assert.True(budget.TrySpend(7));
        Assert.False(budget.TrySpend(7));
    }

    [Fact]
    public void A_checkpoint_before_the_failed_step_does_not_renew_the_budget()
    {
        var budget = new RollbackBudget(1);
        Assert.True(budget.TrySpend(7));
        budget.CheckpointWritten(6);
        Assert.False(budget.TrySpend(7));
    }

    [Fact]
    public void A_checkpoint_beyond_the_failed_step_renews_it()
    {
        var budget = new RollbackBudget(1);
        Assert.True(budget.TrySpend(7));
        budget.CheckpointWritten(7);
        Assert.True(budget.TrySpend(9));
    }

    [Fact]
    public void An_earlier_second_failure_does_not_hide_the_furthest_one()
    {
        var budget = new RollbackBudget(2);
        Assert.True(budget.TrySpend(9));
        Assert.True(budget.TrySpend(3));
        budget.CheckpointWritten(5);
        Assert.False(budget.TrySpend(9));
    }
}
