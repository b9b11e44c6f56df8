namespace Streaming.Actors.Tests.Training;

public sealed class AgendaSpec
{
    [Fact]
    public void An_evaluation_comes_before_the_checkpoint_of_the_same_step()
    {
        var agenda = Agenda(maxSteps: 10, evalSteps: 2, saveSteps: 2);
        agenda.StepTaken(1);
        Assert.Equal(Work.Step, agenda.Next);
        agenda.StepTaken(2);
        Assert.Equal(Work.Evaluate, agenda.Next);
        agenda.Evaluated();
        Assert.Equal(Work.Snapshot, agenda.Next);
        agenda.SnapshotTaken();
        Assert.Equal(Work.Step, agenda.Next); // the checkpoint is written meanwhile
    }

    [Fact]
    public void Training_goes_on_while_held_out_text_is_late_and_the_evaluation_follows()
    {
        var agenda = Agenda(maxSteps: 4, evalSteps: 2);
        agenda.StepTaken(1);
        agenda.StepTaken(2);
        Assert.Equal(Work.Evaluate, agenda.Next);
        Assert.True(agenda.PostponeEvaluation());
        Assert.Equal(Work.Step, agenda.Next);
        Assert.True(agenda.Evaluating); // an operator needs not ask for another
        agenda.StepTaken(3);
        agenda.HeldOutIsThere();
        Assert.Equal(Work.Evaluate, agenda.Next);
        agenda.Evaluated();
        Assert.Equal(Work.Step, agenda.Next);
        agenda.StepTaken(4);
        Assert.False(agenda.PostponeEvaluation()); // at the end there is nothing to go on with
        Assert.Equal(Work.Evaluate, agenda.Next);
    }

    [Theory]
    [InlineData(0, 20, true)]
    [InlineData(0, 21, false)]
    [InlineData(0, 0, false)]
    [InlineData(95, 100, true)]
    [InlineData(200, 100, true)] // one that a kill prevented
    [InlineData(250, 100, false)]
    public void A_start_waits_for_held_out_text_where_an_evaluation_is_near(long step, long evalSteps, bool waits)
    {
        foreach (var comes in new[] { true, false })
        {
            var agenda = new Agenda(Options(maxSteps: 1000, evalSteps: evalSteps), step);
            agenda.Begin(lastEvaluation: null, hasHeldOut: false);
            Assert.Equal(waits ? Work.AwaitHeldOut : Work.Step, agenda.Next);
            if (comes)
                agenda.HeldOutIsThere();
            else
                agenda.HeldOutIsLate(); // it has waited long enough
            Assert.Equal(comes && step == 200 ? Work.Evaluate : Work.Step, agenda.Next);
        }
    }

    [Fact]
    public void A_patience_that_ends_after_the_held_out_text_has_come_costs_no_evaluation()
    {
        var agenda = Agenda(maxSteps: 4, evalSteps: 1);
        agenda.Begin(lastEvaluation: null, hasHeldOut: false);
        agenda.HeldOutIsThere();
        agenda.StepTaken(1);
        agenda.HeldOutIsLate();
        Assert.Equal(Work.Evaluate, agenda.Next);
    }

    [Theory]
    [InlineData(0, 500, Work.AwaitHeldOut)]
    [InlineData(0, 0, Work.Step)]
    public void A_run_that_is_to_be_compared_waits_however_far_the_evaluation_is(long step, long evalSteps, object next)
    {
        var options = Options(maxSteps: 1000, evalSteps: evalSteps);
        var agenda = new Agenda(options with { Checkpoints = options.Checkpoints with { RecordTokens = true } }, step);
        agenda.Begin(lastEvaluation: null, hasHeldOut: false);
        Assert.Equal(next, agenda.Next);
    }

    [Fact]
    public void A_stop_does_not_wait_for_held_out_text()
    {
        var agenda = new Agenda(Options(maxSteps: 10, evalSteps: 1), step: 0);
        agenda.Begin(lastEvaluation: null, hasHeldOut: false);
        agenda.Hurry(new TrainingEnd.StopRequested());
        Assert.Equal(Work.Finish, agenda.Next);
    }

    [Fact]
    public void A_second_snapshot_waits_until_the_first_is_written()
    {
        var agenda = Agenda(maxSteps: 10, saveSteps: 1);
        agenda.StepTaken(1);
        agenda.SnapshotTaken();
        agenda.StepTaken(2);
        Assert.Equal(Work.AwaitCheckpoint, agenda.Next);
        agenda.CheckpointWritten();
        Assert.Equal(Work.Snapshot, agenda.Next);
    }

    [Fact]
    public void The_last_step_is_followed_by_evaluation_checkpoint_sample_and_the_end()
    {
        var agenda = Agenda(maxSteps: 1, prompt: "猫");
        agenda.StepTaken(1);
        Assert.Equal(Work.Evaluate, agenda.Next);
        agenda.Evaluated();
        Assert.Equal(Work.Snapshot, agenda.Next);
        agenda.SnapshotTaken();
        Assert.Equal(Work.Sample, agenda.Next);
        agenda.SampleTaken();
        Assert.Equal(Work.AwaitCheckpoint, agenda.Next);
        agenda.CheckpointWritten();
        Assert.Equal(Work.Finish, agenda.Next);
        Assert.IsType<TrainingEnd.StepsDone>(agenda.End);
    }

    [Fact]
    public void The_last_step_is_evaluated_and_saved_once_where_an_interval_ends_there_too()
    {
        var agenda = Agenda(maxSteps: 2, evalSteps: 2, saveSteps: 2);
        agenda.StepTaken(1);
        agenda.StepTaken(2);
        agenda.Evaluated();
        agenda.SnapshotTaken();
        agenda.CheckpointWritten();
        Assert.Equal(Work.Finish, agenda.Next);
    }

    [Fact]
    public void A_stop_skips_all_but_the_checkpoint()
    {
        var agenda = Agenda(maxSteps: 10, evalSteps: 1, prompt: "猫");
        agenda.StepTaken(1);
        agenda.Hurry(new TrainingEnd.StopRequested());
        Assert.Equal(Work.Snapshot, agenda.Next);
        agenda.SnapshotTaken();
        agenda.CheckpointWritten();
        Assert.Equal(Work.Finish, agenda.Next);
    }

    [Fact]
    public void A_stop_writes_no_second_checkpoint_of_the_same_step()
    {
        var agenda = Agenda(maxSteps: 10, saveSteps: 1);
        agenda.StepTaken(1);
        agenda.SnapshotTaken();
        agenda.CheckpointWritten();
        agenda.Hurry(new TrainingEnd.StopRequested());
        Assert.Equal(Work.Finish, agenda.Next);
    }

    [Fact]
    public void A_checkpoint_that_fails_is_tried_again_by_the_next_stop()
    {
        var agenda = Agenda(maxSteps: 10, saveSteps: 1);
        agenda.StepTaken(1);
        agenda.SnapshotTaken();
        agenda.CheckpointFailed("disk full");
        Assert.Equal(Work.Step, agenda.Next); // the run goes on
        agenda.Hurry(new TrainingEnd.StopRequested());
        Assert.Equal(Work.Snapshot, agenda.Next);
        agenda.SnapshotTaken();
        agenda.CheckpointFailed("disk full");
        Assert.Equal(Work.Finish, agenda.Next);
        Assert.Equal(new TrainingEnd.CheckpointLost("disk full"), agenda.End);
    }

    [Fact]
    public void An_evaluation_that_a_kill_prevented_is_made_up_for()
    {
        var agenda = new Agenda(Options(maxSteps: 10, evalSteps: 2), step: 4);
        agenda.Begin(lastEvaluation: 2, hasHeldOut: true);
        Assert.Equal(Work.Evaluate, agenda.Next);

        agenda = new Agenda(Options(maxSteps: 10, evalSteps: 2), step: 4);
        agenda.Begin(lastEvaluation: 4, hasHeldOut: true);
        Assert.Equal(Work.Step, agenda.Next);
    }

    [Fact]
    public void A_run_with_all_its_steps_has_nothing_to_do()
    {
        var agenda = new Agenda(Options(maxSteps: 4, evalSteps: 4, prompt: "猫"), step: 4);
        agenda.Begin(lastEvaluation: null, hasHeldOut: true);
        Assert.Equal(Work.Finish, agenda.Next);
        Assert.IsType<TrainingEnd.NothingToDo>(agenda.End);
    }

    private static Agenda Agenda(long maxSteps, long evalSteps = 0, long saveSteps = 0, string prompt = "")
    {
        var agenda = new Agenda(Options(maxSteps, evalSteps, saveSteps, prompt), step: 0);
        agenda.Begin(lastEvaluation: null, hasHeldOut: true);
        return agenda;
    }

    private static RunOptions Options(long maxSteps, long evalSteps = 0, long saveSteps = 0, string prompt = "") => new()
    {
        RunDirectory = "",
        Model = null!,
        Data = null!,
        Optimizer = null!,
        Training = new() { MaxSteps = maxSteps },
        Checkpoints = new() { SaveSteps = saveSteps },
        Evaluation = new() { EvalSteps = evalSteps, SamplePrompt = prompt },
    };
}
