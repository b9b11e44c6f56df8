using System.Runtime.InteropServices;
using Akka.Actor;
using Akka.Streams;
using Streaming.Actors.Tests.Runs;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors.Tests.Faults;

/// <summary>
/// The text of several steps that led to a spike is left out, every other token is trained on once, wherever the checkpoints lie and
/// whenever the process dies. A plain run's tokens tell which those are.
/// </summary>
public sealed class SpikeWindowSpec : IDisposable
{
    private const int Steps = 13, WindowSteps = 5;

    private readonly string _folder = Directory.CreateTempSubdirectory("spikes-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string RunFolder => Path.Combine(_folder, "run");

    [Fact]
    public async Task A_checkpoint_within_the_window_is_passed_over_for_the_one_before_and_a_process_that_dies_changes_nothing()
    {
        // Steps 7 to 11 are to be left out; the checkpoint of step 8 has learned from two of them, that of step 4 from none.
        await using (var first = await HostedRun.StartAsync(Options("spike@11")))
        {
            await first.SeeAsync(happened => happened is RunProtocol.RolledBack);
            first.Kill();
            await first.EndAsync();
        }
        foreach (var plan in new[] { "dead-device@6", "dead-device@8" }) // before the text is left out, and before a checkpoint says that it was
        {
            var (died, run) = await HostedRun.CompleteAsync(Options(plan));
            Assert.Equal(ExitCodes.TryAgain, died.ExitCode);
            Assert.Contains(run.Events.OfType<RunProtocol.Noticed>(), noticed => noticed.Sentence == "step-00000008 is passed over: it has learned from text that is left out since");
        }
        // The checkpoint of step 8 stays, with nothing in its place, and those of steps 6 and 9 are later.
        var options = Options("none") with { Checkpoints = new() { SaveSteps = 3, SaveTotalLimit = 0, RecordTokens = true } };
        var (outcome, _) = await HostedRun.CompleteAsync(options);
        Assert.IsType<RunOutcome.Completed>(outcome);
        var expected = await TextOf([.. Enumerable.Range(1, 6), .. Enumerable.Range(12, Steps - 6)]);
        Assert.Equal(expected, TokensOf(RunFolder));
        Assert.Equal((7, 10), Assert.Single(Checkpoint.Open(TinyRun.Checkpoint(RunFolder, Steps)).Training.Skipped.Select(skip => (skip.Step, skip.Batches))));
        Assert.Empty(Checkpoint.Open(TinyRun.Checkpoint(RunFolder, 8)).Training.Skipped);
        Assert.Contains("\"step\":7,\"batches\":10,", Assert.Single(File.ReadAllLines(Path.Combine(RunFolder, "skipped.jsonl"))), StringComparison.Ordinal);

        using var system = ActorSystem.Create("provenance", "akka { loglevel = WARNING, stdout-loglevel = OFF }");
        foreach (var step in new[] { 6, 7, 9, 10 })
        {
            var batches = await Provenance.OfStepAsync(RunFolder, options.Data, 2, step, system.Materializer(), TestContext.Current.CancellationToken);
            Assert.Equal(expected[step - 1], batches.SelectMany(batch => batch.Tokens).ToArray());
        }
        await system.Terminate();
    }

    /// <summary>Steps by the number that they have in a run without spikes.</summary>
    [Theory]
    [InlineData("spike@11", 1, 8, 12)] // the only checkpoint lies within the window of steps 7 to 11: what lies behind it is left out
    [InlineData("spike@3", 0, 0, 4)] // there is no checkpoint at all
    [InlineData("spike@10x2", 0, 5, 16)] // 6 to 10, and then 11 to 15 in their place
    public async Task What_is_left_out_is_the_window_as_far_as_it_has_not_been_kept(string plan, int limit, int lastBefore, int firstBehind)
    {
        var options = Options(plan);
        var (outcome, run) = await HostedRun.CompleteAsync(options with
        {
            Training = options.Training with { SpikeZScore = lastBefore == 0 ? 0 : 6 },
            Faults = lastBefore == 0 ? new(plan.Replace("spike", "non-finite-loss", StringComparison.Ordinal), 1) : options.Faults,
            Checkpoints = options.Checkpoints with { SaveTotalLimit = limit },
        });
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal(plan.EndsWith("x2", StringComparison.Ordinal) ? 2 : 1, run.Events.OfType<RunProtocol.RolledBack>().Count());
        Assert.Equal(await TextOf([.. Enumerable.Range(1, lastBefore), .. Enumerable.Range(firstBehind, Steps - lastBefore)]), TokensOf(RunFolder));
    }

    [Fact]
    public void What_was_to_be_left_out_within_a_wider_window_goes_with_it()
    {
        var path = Path.Combine(_folder, "skips.json");
        var skips = DataSkips.Open(path, Assert.Fail);
        skips.Add(76, 80, 10, "first");
        skips.Add(74, 78, 10, "second"); // 74 and 75, the five left out, and the three that came in their place
        skips.Add(90, 90, 2, "third");
        skips = DataSkips.Open(path, Assert.Fail);
        Assert.Equal([(74, 20), (76, 0), (90, 2)], new long[] { 74, 76, 90 }.Select(step => (step, skips.Before(step).Batches)));
        // Three of its ten steps are in a checkpoint that was written before all this; what it had left out itself counts too.
        var state = new TrainingState { Step = 76, TokensSeen = 0, Cursor = default };
        Assert.False(skips.AreIn(state));
        skips.BeginFrom(state with { Skipped = [new(75, 4, "")] }, 2);
        skips = DataSkips.Open(path, Assert.Fail);
        Assert.Equal([(74, 0), (77, 20 - 6 - 4), (90, 2)], new long[] { 74, 77, 90 }.Select(step => (step, skips.Before(step).Batches)));
        Assert.True(skips.AreIn(state));
    }

    private RunOptions Options(string plan)
    {
        var options = TinyRun.Options(RunFolder, Steps);
        return options with
        {
            Faults = plan == "none" ? options.Faults : new(plan, 1),
            Training = options.Training with { SpikeWindow = 4, SpikeZScore = 6, SpikeSkipSteps = WindowSteps },
            Checkpoints = options.Checkpoints with { RecordTokens = true },
            Evaluation = options.Evaluation with { EvalSteps = 0, Batches = 0 },
        };
    }

    /// <summary>What a plain run takes in some of its steps.</summary>
    private async Task<List<int[]>> TextOf(IReadOnlyList<int> steps)
    {
        var options = TinyRun.Options(Path.Combine(_folder, "plain"), steps[^1]);
        await HostedRun.CompleteAsync(options with { Checkpoints = new() { SaveSteps = 0, RecordTokens = true }, Evaluation = options.Evaluation with { EvalSteps = 0, Batches = 0 } });
        var plain = TokensOf(options.RunDirectory);
        return [.. steps.Select(step => plain[step - 1])];
    }

    private static List<int[]> TokensOf(string run) =>
        [.. MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(Path.Combine(run, "tokens.bin"))).ToArray().Chunk(2 * 2 * 32)];
}
