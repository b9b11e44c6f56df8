using Streaming.Model.Checkpoints;
using Streaming.Model.Generation;

namespace Streaming.Actors.Tests.Runs;

public sealed class ControlSpec : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly string _folder = Directory.CreateTempSubdirectory("run-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_paused_run_takes_no_step_until_it_is_resumed_and_stays_paused_in_the_next_process()
    {
        await using (var run = await StartAsync())
        {
            var paused = Assert.IsType<ControlProtocol.Done>(await run.Run.AskAsync(new ControlProtocol.Pause("me"), s_patience));
            Assert.IsType<ControlProtocol.Busy>(await run.Run.AskAsync(new ControlProtocol.Pause("me"), s_patience));
            await run.SeeAsync(happened => happened is ControlProtocol.StillPaused);
            Assert.Equal(paused.Step, run.Steps.Last().Step);

            // A checkpoint and an evaluation do not wait for the resumption.
            Assert.IsNotType<ControlProtocol.Failed>(await run.Run.AskAsync(new ControlProtocol.SaveCheckpoint("me"), s_patience));
            Assert.IsType<ControlProtocol.Done>(await run.Run.AskAsync(new ControlProtocol.Evaluate("me"), s_patience));
            await run.SeeAsync(happened => happened is TrainerProtocol.EvaluationCompleted evaluation && evaluation.Step == paused.Step);
            Assert.Contains(new ControlProtocol.Commanded("me", "pause"), run.Events);
        }
        await using (var again = await StartAsync(waitForStep: false))
        {
            await again.SeeAsync(happened => happened is ControlProtocol.StillPaused);
            Assert.Empty(again.Steps);
            Assert.IsType<ControlProtocol.Done>(await again.Run.AskAsync(new ControlProtocol.Resume("me"), s_patience));
            await again.SeeAsync(happened => happened is TrainerProtocol.StepCompleted);
            Assert.True(again.Steps.First().Elapsed < TimeSpan.FromSeconds(0.9), $"the pause counts as part of a step: {again.Steps.First().Elapsed}");
            Assert.IsType<ControlProtocol.Busy>(await again.Run.AskAsync(new ControlProtocol.Resume("me"), s_patience));
        }
    }

    [Fact]
    public async Task A_learning_rate_that_was_set_holds_from_the_next_step_on_and_after_a_restart_until_the_configuration_changes()
    {
        await using (var run = await StartAsync())
        {
            var done = Assert.IsType<ControlProtocol.Done>(await run.Run.AskAsync(Set("learning-rate", 5e-5), s_patience));
            await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted step && step.Step == done.Step + 2);
            Assert.All(run.Steps, step => Assert.Equal(step.Step > done.Step ? 5e-5 : 1e-3, step.LearningRate, 1e-12));
        }
        await using (var again = await StartAsync())
        {
            Assert.Equal(5e-5, again.Steps.First().LearningRate, 1e-12);
            Assert.Contains(again.Events.OfType<RunProtocol.Noticed>(), notice => notice.Sentence.StartsWith("learning-rate = 5E-05, as was set", StringComparison.Ordinal));
        }
        await using (var edited = await StartAsync(learningRate: 2e-3))
            Assert.Equal(2e-3, edited.Steps.First().LearningRate, 1e-12);
    }

    [Theory]
    [InlineData("""{"settings":null}""", null)]
    [InlineData("""{"settings":{"log-level":{"value":99,"configured":2}}}""", "control.json says log-level = 99, which is out of its range: information, as configured")]
    [InlineData("""{"settings":{"max-steps":{"value":-1,"configured":6}}}""", "control.json says max-steps = -1, which is out of its range: 6, as configured")]
    [InlineData("""{"settings":{"max-steps":{"value":6,"configured":6}}}""", null)]
    [InlineData("""{"settings":[]}""", "control.json cannot be read")]
    public async Task A_file_of_settings_that_somebody_has_damaged_costs_itself_alone(string json, string? told)
    {
        File.WriteAllText(Path.Combine(_folder, "control.json"), json);
        var (outcome, run) = await HostedRun.CompleteAsync(TinyRun.Options(_folder, 6));
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal(6, run.Steps.Last().Step);
        Assert.Equal(told is not null, run.Events.OfType<RunProtocol.Noticed>().Any(notice => notice.Sentence.Contains(told ?? "control.json", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_run_that_an_operator_has_shortened_says_so_where_there_is_nothing_to_do()
    {
        await using (var run = await StartAsync())
        {
            await run.Run.AskAsync(Set("max-steps", run.Steps.Last().Step + 50), s_patience);
            Assert.IsType<RunOutcome.Completed>(await run.Run.Outcome.WaitAsync(s_patience, TestContext.Current.CancellationToken));
        }
        await using var again = await StartAsync(waitForStep: false);
        var outcome = await again.Run.Outcome.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        Assert.Contains(" while the run went on; give training.max-steps another value than ", outcome.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_that_finds_the_run_busy_is_not_told_of_as_accepted()
    {
        await using var run = await StartAsync();
        await run.Run.AskAsync(new ControlProtocol.Pause("me"), s_patience);
        await run.Run.AskAsync(new ControlProtocol.SaveCheckpoint("first"), s_patience);
        Assert.IsType<ControlProtocol.Busy>(await run.Run.AskAsync(new ControlProtocol.SaveCheckpoint("second"), s_patience));
        await run.SeeAsync(happened => happened is ControlProtocol.StillPaused);
        Assert.DoesNotContain(new ControlProtocol.Commanded("second", "checkpoint"), run.Events);
    }

    [Fact]
    public async Task The_end_of_the_run_can_be_moved_and_an_operators_stop_is_no_failure()
    {
        await using (var run = await StartAsync())
        {
            var step = run.Steps.Last().Step;
            Assert.IsType<ControlProtocol.Done>(await run.Run.AskAsync(Set("max-steps", step + 20), s_patience));
            Assert.Equal($"all {step + 20} steps are done", Assert.IsType<RunOutcome.Completed>(await run.EndAsync()).Sentence.Split(':')[0]);
            Assert.IsType<ControlProtocol.Busy>(await run.Run.AskAsync(Set("max-steps", step + 30), s_patience));
        }
        await using var longer = await StartAsync(maxSteps: 2_000_000);
        Assert.IsType<ControlProtocol.Done>(await longer.Run.AskAsync(new ControlProtocol.Stop("me"), s_patience));
        var stopped = Assert.IsType<RunOutcome.Stopped>(await longer.EndAsync());
        Assert.Equal(0, stopped.ExitCode);
        var last = longer.Steps.Last().Step;
        Assert.Equal(last, Checkpoint.Open(TinyRun.Checkpoint(_folder, last)).Training.Step);
    }

    [Fact]
    public async Task A_sample_is_answered_with_its_text_and_a_prompt_that_cannot_be_continued_with_the_reason()
    {
        await using var run = await StartAsync();
        var done = Assert.IsType<ControlProtocol.Done>(
            await run.Run.AskAsync(new ControlProtocol.Sample("me", "むかしむかし", 5, new SamplingOptions()), s_patience));
        Assert.StartsWith("むかしむかし", done.Text, StringComparison.Ordinal);
        await run.SeeAsync(happened => happened is TrainerProtocol.SampleGenerated sample && sample.Text == done.Text); // events come on another way than answers
    }

    [Fact]
    public async Task Before_its_first_step_a_run_says_that_it_is_starting()
    {
        var run = new RunHandle();
        Assert.IsType<ControlProtocol.Busy>(await run.AskAsync(new ControlProtocol.Pause("me"), s_patience));
    }

    private static ControlProtocol.Change Set(string name, double? value) => new("me", new Dictionary<string, double?> { [name] = value });

    private async Task<HostedRun> StartAsync(bool waitForStep = true, double learningRate = 1e-3, long maxSteps = 1_000_000)
    {
        var options = TinyRun.Options(_folder, maxSteps);
        var run = await HostedRun.StartAsync(options with
        {
            Training = options.Training with { LearningRate = learningRate, Schedule = Streaming.Model.ScheduleKind.Constant, WarmupSteps = 0 },
            Checkpoints = new() { SaveSteps = 0 },
            Evaluation = options.Evaluation with { EvalSteps = 0 },
        });
        if (waitForStep)
            await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted);
        return run;
    }
}
