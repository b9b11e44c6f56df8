using Streaming.Actors.Tests.Runs;
using Streaming.Model.Checkpoints;
using Streaming.Tests;

namespace Streaming.Actors.Tests.Faults;

/// <summary>Each row of docs/failures.md, by a planned fault in a real run.</summary>
public sealed class FailureRowsSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("failures-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Faults that change nothing of what is learned: the weights are those of a run without.</summary>
    [Theory]
    [InlineData("engine@7", 1)]
    [InlineData("out-of-memory@7", 1)]
    [InlineData("source-outage@7", 1)]
    [InlineData("tokenizer@7", 1)]
    [InlineData("checkpoint-write@4", 0)]
    [InlineData("full-disk@4", 0)]
    [InlineData("evaluation@5", 0)]
    [InlineData("engine@3x2, source-outage@7, full-disk@8, tokenizer@9", 4)]
    public async Task A_fault_that_passes_costs_no_token_and_no_bit(string plan, int returns)
    {
        var (plain, faulty) = (Path.Combine(_folder, "plain"), Path.Combine(_folder, "faulty"));
        await HostedRun.CompleteAsync(TinyRun.Options(plain, 10));
        var (outcome, run) = await HostedRun.CompleteAsync(Options(faulty, 10, plan));
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal(returns, run.Events.OfType<RunProtocol.RolledBack>().Count());
        Assert.Equal(Weights(plain, 10), Weights(faulty, 10));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], StepsOf(faulty));
    }

    /// <summary>The first line that is not UTF-8, and records that are no JSON or hold no text: what is left is learned as if they were not there.</summary>
    [Theory]
    [InlineData("lines.txt", "\u00ff\u00fe a line that is broken\n", "\ufffd\ufffd a line that is broken\n")]
    [InlineData("records.jsonl", "{\"text\":\n[1,2]\n{\"title\":\"no text\"}\n{\"text\":7}\n", "")]
    public async Task A_bad_line_costs_itself_alone(string name, string bad, string asRead)
    {
        var isJson = name.EndsWith("jsonl", StringComparison.Ordinal);
        var good = string.Concat(File.ReadLines(Path.Combine(TinyRun.Samples, "corpus-ja.txt")).Where(line => line.Length > 0).Take(400)
            .Select(line => (isJson ? $"{{\"text\":{System.Text.Json.JsonSerializer.Serialize(line)}}}" : line) + "\n"));
        async Task<byte[]> TrainOn(string folder, byte[] text)
        {
            var file = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, folder)).FullName, name);
            File.WriteAllBytes(file, text);
            var options = TinyRun.Options(Path.Combine(_folder, folder, "run"), 6);
            var (outcome, run) = await HostedRun.CompleteAsync(options with { Data = options.Data with { Sources = [new() { Paths = [file], Epochs = 0 }] } });
            Assert.IsType<RunOutcome.Completed>(outcome);
            Assert.Empty(run.Events.OfType<RunProtocol.RolledBack>());
            return Weights(options.RunDirectory, 6);
        }
        byte[] Text(string first) => [.. isJson ? System.Text.Encoding.UTF8.GetBytes(first) : first.Select(letter => (byte)letter), .. System.Text.Encoding.UTF8.GetBytes(good)];
        var expected = await TrainOn("without", [.. System.Text.Encoding.UTF8.GetBytes(asRead), .. System.Text.Encoding.UTF8.GetBytes(good)]);
        Assert.Equal(expected, await TrainOn("with", Text(bad)));
    }

    [Fact]
    public async Task A_checkpoint_that_fails_is_told_and_the_next_one_is_whole()
    {
        var (_, run) = await HostedRun.CompleteAsync(Options(_folder, 9, "full-disk@4, checkpoint-write@8"));
        var failures = run.Events.OfType<CheckpointProtocol.Failed>().ToList();
        Assert.Equal([4, 8], failures.Select(failed => failed.Step));
        Assert.Contains("MiB free", failures[0].Reason, StringComparison.Ordinal);
        Assert.Equal(9, Checkpoint.Open(TinyRun.Checkpoint(_folder, 9)).Training.Step);
        Assert.Empty(Directory.GetDirectories(Path.Combine(_folder, "checkpoints"), ".aside-*"));
    }

    [Fact]
    public async Task The_last_checkpoint_is_tried_again_before_the_run_ends_without_it()
    {
        var (once, _) = await HostedRun.CompleteAsync(Options(Path.Combine(_folder, "once"), 5, "full-disk@5"));
        Assert.IsType<RunOutcome.Completed>(once);
        var (always, _) = await HostedRun.CompleteAsync(Options(Path.Combine(_folder, "always"), 5, "full-disk@5x9"));
        var failed = Assert.IsType<RunOutcome.Failed>(always);
        Assert.Equal(ExitCodes.TryAgain, failed.ExitCode);
        Assert.Contains("MiB free", failed.Sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("spike@7")]
    [InlineData("non-finite-loss@7")]
    public async Task A_spike_returns_to_the_checkpoint_and_leaves_its_text_out(string plan)
    {
        var options = Options(_folder, 12, plan);
        var (outcome, run) = await HostedRun.CompleteAsync(options with { Training = options.Training with { SpikeWindow = 4, SpikeZScore = 6, SpikeSkipSteps = 2 } });
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal([1, 2, 3, 4, 5, 6, 5, 6, 7, 8, 9, 10, 11, 12], run.Steps.Select(step => step.Step));
        // Steps 6 and 7 of two micro-batches each.
        var skipped = Assert.Single(run.Events.OfType<TrainerProtocol.DataSkipped>());
        Assert.Equal((6, 4), (skipped.Step, skipped.Batches));
        Assert.Equal(skipped.Reason, Assert.Single(Checkpoint.Open(TinyRun.Checkpoint(_folder, 12)).Training.Skipped).Reason);
        Assert.Empty(Checkpoint.Open(TinyRun.Checkpoint(_folder, 4)).Training.Skipped);
        var line = Assert.Single(File.ReadAllLines(Path.Combine(_folder, "skipped.jsonl")));
        Assert.Contains("\"file\":\"corpus-ja.txt\"", line, StringComparison.Ordinal);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], StepsOf(_folder));
    }

    [Theory]
    [InlineData("dead-device@6", ExitCodes.TryAgain, "context is dead")]
    [InlineData("damaged-archive@6", ExitCodes.Failed, "text.xz cannot be read past line 1000")]
    [InlineData("engine@6x9", ExitCodes.TryAgain, "again after 3 returns")]
    [InlineData("source-outage@6x9", ExitCodes.TryAgain, "cannot be read past byte 1000")]
    [InlineData("tokenizer@6x9", ExitCodes.Failed, "the tokenizer failed by plan")]
    [InlineData("out-of-memory@6x9", ExitCodes.Failed, "memory is too small")]
    [InlineData("non-finite-loss@6x9", ExitCodes.Failed, "training.learning-rate")]
    public async Task At_the_bound_the_run_ends_with_the_reason_and_a_code(string plan, int code, string reason)
    {
        var (outcome, _) = await HostedRun.CompleteAsync(Options(_folder, 10, plan));
        var failed = Assert.IsType<RunOutcome.Failed>(outcome);
        Assert.Equal(code, failed.ExitCode);
        Assert.Contains(reason, failed.Sentence, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failed.Sentence);
    }

    [Fact]
    public async Task A_failure_of_the_text_is_met_after_everything_before_is_kept()
    {
        await HostedRun.CompleteAsync(Options(_folder, 10, "damaged-archive@7"));
        Assert.Equal(6, Checkpoint.Open(TinyRun.Checkpoint(_folder, 6)).Training.Step);
    }

    [Fact]
    public async Task What_was_to_be_left_out_is_left_out_by_the_next_process_where_this_one_is_killed_before_a_checkpoint_says_so()
    {
        var options = TinyRun.Options(_folder, 6);
        DataSkips.Open(Path.Combine(_folder, "skips.json"), Assert.Fail).Add(3, 3, 2, "the loss was high");
        var (_, run) = await HostedRun.CompleteAsync(options);
        Assert.Equal(new TrainerProtocol.DataSkipped(3, 2, "the loss was high"), Assert.Single(run.Events.OfType<TrainerProtocol.DataSkipped>()));
        File.WriteAllText(Path.Combine(_folder, "skips.json"), "{");
        var told = new List<string>();
        Assert.False(DataSkips.Open(Path.Combine(_folder, "skips.json"), told.Add).AnyBeyond(0));
        Assert.StartsWith(Path.Combine(_folder, "skips.json") + " cannot be read", Assert.Single(told), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_planned_fault_does_not_happen_again_in_the_next_process()
    {
        await HostedRun.CompleteAsync(Options(_folder, 10, "dead-device@6"));
        var (outcome, _) = await HostedRun.CompleteAsync(Options(_folder, 10, "dead-device@6"));
        Assert.IsType<RunOutcome.Completed>(outcome);
    }

    [Fact]
    public void Every_kind_of_failure_and_every_planned_fault_stands_in_the_document()
    {
        var document = File.ReadAllText(Path.Combine(ReferenceData.RepositoryRoot, "docs", "failures.md"));
        foreach (var name in FaultPlan.Names)
            Assert.Contains($"`{name}`", document, StringComparison.Ordinal);
        foreach (var code in Enum.GetValues<FailureKind>().Select(kind => FailureTable.RowOf(kind).ExitCode))
            Assert.Contains($"{code}", document, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("engine")]
    [InlineData("engine@0")]
    [InlineData("engine@1x")]
    [InlineData("motor@3")]
    [InlineData("random*3@9-2")]
    public void A_plan_that_is_none_is_refused_with_what_is_allowed(string plan) =>
        Assert.Contains("KIND@STEP", Assert.Throws<FormatException>(() => FaultPlan.Parse(plan, 1)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task The_best_evaluation_is_kept_and_loaded_at_the_end()
    {
        var options = TinyRun.Options(_folder, 20);
        // A rate this high makes later evaluations worse than earlier ones.
        var (outcome, run) = await HostedRun.CompleteAsync(options with
        {
            Training = options.Training with { LearningRate = 0.3, WarmupSteps = 12 },
            Checkpoints = options.Checkpoints with { SaveSteps = 0, LoadBestAtEnd = true, SaveTotalLimit = 1 },
            Evaluation = options.Evaluation with { EvalSteps = 2 },
        });
        Assert.IsType<RunOutcome.Completed>(outcome);
        var evaluations = run.Events.OfType<TrainerProtocol.EvaluationCompleted>().ToList();
        var least = evaluations.MinBy(evaluation => evaluation.Loss)!;
        var best = Checkpoint.Open(Path.Combine(_folder, "checkpoints", "best"));
        Assert.Equal(least.Step, best.Training.Step);
        Assert.Equal(least.Loss, best.Training.EvaluationLoss);
        Assert.Contains($"step-{least.Step:D8}", outcome.Sentence, StringComparison.Ordinal);
        Assert.Equal(20, Checkpoint.Open(Path.Combine(_folder, "checkpoints", "latest")).Training.Step);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stop_gives_up_the_checkpoint_under_way_for_the_last_one_unless_it_is_the_best(bool isBest)
    {
        var options = Options(_folder, 1_000_000, "slow-checkpoint@4");
        await using var run = await HostedRun.StartAsync(options with { Evaluation = options.Evaluation with { EvalSteps = isBest ? 4 : 0 } });
        await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted { Step: 6 });
        run.Run.RequestStop(StopSignal.Terminate);
        Assert.IsType<RunOutcome.Stopped>(await run.EndAsync());
        var last = run.Steps.Last().Step;
        Assert.Equal(isBest ? [4, last] : [last], run.Events.OfType<CheckpointProtocol.Written>().Select(written => written.Step));
        Assert.Equal(isBest, Directory.Exists(TinyRun.Checkpoint(_folder, 4)));
        Assert.Equal(!isBest, run.Events.OfType<RunProtocol.Noticed>().Any(noticed => noticed.Sentence.Contains("step 4 is given up", StringComparison.Ordinal)));
        Assert.Equal(last, Checkpoint.Open(Path.Combine(_folder, "checkpoints", "latest")).Training.Step);
    }

    [Fact]
    public async Task A_checkpoint_is_written_when_its_time_has_come()
    {
        var options = TinyRun.Options(_folder, 6);
        var (_, run) = await HostedRun.CompleteAsync(options with { Checkpoints = options.Checkpoints with { SaveSteps = 0, SaveInterval = TimeSpan.FromTicks(1) } });
        Assert.True(run.Events.OfType<CheckpointProtocol.Written>().Count() >= 3);
    }

    private static RunOptions Options(string folder, long steps, string plan)
    {
        var options = TinyRun.Options(folder, steps);
        return options with
        {
            Faults = new(plan, 1),
            Training = options.Training with { RestartDelay = TimeSpan.FromMilliseconds(1), MaxRollbacks = plan.Contains(", ", StringComparison.Ordinal) ? 9 : 3 },
        };
    }

    private static byte[] Weights(string run, long step) => File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(run, step), "model.safetensors"));

    private static List<long> StepsOf(string run) =>
        [.. File.ReadLines(Path.Combine(run, "metrics.jsonl")).Where(line => line.Contains("\"loss\"", StringComparison.Ordinal))
            .Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("step").GetInt64())];
}
