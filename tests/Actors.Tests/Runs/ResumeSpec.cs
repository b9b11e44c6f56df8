using System.Text.Json;
using Streaming.Model.Checkpoints;
using Streaming.Streams.Cleaning;

namespace Streaming.Actors.Tests.Runs;

public sealed class ResumeSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("resume-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task N_steps_equal_half_of_them_a_stop_a_resume_and_the_rest_to_the_last_bit()
    {
        // More than one pass over the corpus, so that the way back to the beginning is part of it.
        var base18 = TinyRun.Options("", 18);
        RunOptions Options(string run) => base18 with { RunDirectory = In(run), Data = base18.Data with { Rows = 16, BlockSize = 64 } };
        var (straight, _) = await HostedRun.CompleteAsync(Options("straight"));
        Assert.IsType<RunOutcome.Completed>(straight);

        RunOutcome first;
        await using (var run = await HostedRun.StartAsync(Options("halves")))
        {
            await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted { Step: 9 });
            run.Run.RequestStop(StopSignal.Interrupt);
            first = await run.EndAsync();
        }
        Assert.Equal(130, Assert.IsType<RunOutcome.Stopped>(first).ExitCode);
        var (second, resumed) = await HostedRun.CompleteAsync(Options("halves"));
        Assert.IsType<RunOutcome.Completed>(second);
        Assert.InRange(resumed.Steps.First().Step, 10, 17); // it went on, and something was left to do

        AssertSameCheckpoint("straight", "halves", 18);
        Assert.Equal(Journal("straight"), Journal("halves"));
    }

    [Fact]
    public async Task What_the_text_path_keeps_beside_its_cursor_is_in_the_checkpoint_and_read_from_there()
    {
        // The text twice, so that a resume has duplicates to know of; shuffled, so that the cursor is far behind the reading.
        RunOptions Options(string run, long steps)
        {
            var options = TinyRun.Options(In(run), steps);
            var text = options.Data.Sources[0].Paths[0];
            return options with
            {
                Data = options.Data with
                {
                    Rows = 16,
                    BlockSize = 64,
                    Shuffle = new() { Documents = 20, Seed = 1 },
                    Sources =
                    [
                        new()
                        {
                            Paths = [text, text],
                            Epochs = 0,
                            Cleaning = CleaningOptions.Off with { Duplicates = new() { Documents = true, MemoryBytes = DuplicateOptions.LeastMemoryBytes } },
                        },
                    ],
                },
            };
        }

        await HostedRun.CompleteAsync(Options("straight", 8));
        await using (var run = await HostedRun.StartAsync(Options("halves", 8)))
        {
            await run.SeeAsync(happened => happened is CheckpointProtocol.Written { Step: 4 });
            run.Kill();
            await run.EndAsync();
        }
        Assert.True(File.Exists(Path.Combine(TinyRun.Checkpoint(In("halves"), 4), "pipeline", "duplicates-0.bin")));
        await HostedRun.CompleteAsync(Options("halves", 8));
        AssertSameCheckpoint("straight", "halves", 8);

        // A checkpoint without it is not whole.
        File.Delete(Path.Combine(TinyRun.Checkpoint(In("halves"), 8), "pipeline", "duplicates-0.bin"));
        Assert.Contains("duplicates-0.bin is missing", Assert.Throws<CheckpointException>(() => Checkpoint.Open(TinyRun.Checkpoint(In("halves"), 8))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_killed_run_goes_on_from_its_last_checkpoint_without_gap_or_repeat()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(In("straight"), 14));

        await using (var run = await HostedRun.StartAsync(TinyRun.Options(In("killed"), 14)))
        {
            await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted { Step: 10 });
            run.Kill();
            Assert.IsType<RunOutcome.Failed>(await run.EndAsync());
        }
        Assert.True(Journal("killed").Count(line => line.Contains("loss", StringComparison.Ordinal)) >= 10);
        var (outcome, resumed) = await HostedRun.CompleteAsync(TinyRun.Options(In("killed"), 14));
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal(8, Assert.Single(resumed.Events.OfType<RunProtocol.Started>()).Step);

        AssertSameCheckpoint("straight", "killed", 14);
        Assert.Equal(Journal("straight"), Journal("killed"));
    }

    [Fact]
    public async Task The_number_of_workers_and_the_queue_change_nothing()
    {
        var one = TinyRun.Options(In("one"), 8);
        var four = TinyRun.Options(In("four"), 8);
        await HostedRun.CompleteAsync(one with { Data = one.Data with { Workers = 1, QueueCapacity = 1 } });
        await HostedRun.CompleteAsync(four with { Data = four.Data with { Workers = 4, QueueCapacity = 16 } });
        AssertSameCheckpoint("one", "four", 8);
    }

    [Fact]
    public async Task A_broken_newest_checkpoint_is_passed_over_for_the_one_before()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(In("run"), 8));
        var weights = Path.Combine(TinyRun.Checkpoint(In("run"), 8), "model.safetensors");
        using (var file = new FileStream(weights, FileMode.Open))
        {
            file.Seek(-1, SeekOrigin.End);
            file.WriteByte(0xFF);
        }
        var (outcome, resumed) = await HostedRun.CompleteAsync(TinyRun.Options(In("run"), 10));
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal(4, Assert.Single(resumed.Events.OfType<RunProtocol.Started>()).Step);
        Assert.Contains(resumed.Events.OfType<RunProtocol.Noticed>(), notice => notice.Sentence.Contains("step-00000008", StringComparison.Ordinal));
        Assert.Equal(8, Checkpoint.Open(TinyRun.Checkpoint(In("run"), 8)).Training.Step); // written again on the way
    }

    [Fact]
    public async Task A_named_checkpoint_is_gone_back_to_and_later_ones_are_kept_aside()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(In("run"), 12));
        var options = TinyRun.Options(In("run"), 6);
        var (outcome, resumed) = await HostedRun.CompleteAsync(
            options with { Training = options.Training with { Resume = TinyRun.Checkpoint(In("run"), 4) } });
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal([5, 6], resumed.Steps.Select(step => step.Step));
        Assert.Equal([1, 2, 3, 4, 5, 6], Journal("run").Select(Step).Distinct());
        var aside = Assert.Single(Directory.GetDirectories(Path.Combine(In("run"), "set-aside")));
        Assert.Equal(["step-00000008", "step-00000012"], Directory.GetDirectories(aside).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_beginning_from_another_runs_checkpoint_leaves_that_run_alone()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(In("first"), 4));
        var options = TinyRun.Options(In("second"), 6);
        var (outcome, resumed) = await HostedRun.CompleteAsync(
            options with { Training = options.Training with { Resume = TinyRun.Checkpoint(In("first"), 4) } });
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal([5, 6], resumed.Steps.Select(step => step.Step));
        Assert.Single(Directory.GetDirectories(Path.Combine(In("first"), "checkpoints"), "step-*"));
    }

    [Fact]
    public async Task Resume_never_begins_anew_and_keeps_what_was_there_aside()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(In("run"), 4));
        var options = TinyRun.Options(In("run"), 2);
        var (outcome, run) = await HostedRun.CompleteAsync(options with { Training = options.Training with { Resume = "never" } });
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal([1, 2], run.Steps.Select(step => step.Step));
        var aside = Assert.Single(Directory.GetDirectories(Path.Combine(In("run"), "set-aside")));
        Assert.True(File.Exists(Path.Combine(aside, "step-00000004", "model.safetensors")));
        Assert.True(File.Exists(Path.Combine(aside, "metrics.jsonl")));
    }

    [Fact]
    public async Task A_run_that_has_all_its_steps_says_so_and_changes_nothing()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(In("run"), 2));
        var before = Journal("run");
        var (outcome, run) = await HostedRun.CompleteAsync(TinyRun.Options(In("run"), 2));
        Assert.Contains("nothing to do", Assert.IsType<RunOutcome.Completed>(outcome).Sentence, StringComparison.Ordinal);
        Assert.Empty(run.Steps);
        Assert.Equal(before, Journal("run"));
    }

    private string In(string run) => Path.Combine(_folder, run);

    /// <summary>Weights and moments as the files hold them, byte for byte; and the place in the text.</summary>
    private void AssertSameCheckpoint(string one, string other, long step)
    {
        foreach (var file in new[] { "model.safetensors", "optimizer.safetensors" })
        {
            var (expected, actual) = (File.ReadAllBytes(Of(one, file)), File.ReadAllBytes(Of(other, file)));
            Assert.True(expected.AsSpan().SequenceEqual(actual), $"{file} differs between {one} and {other}");
        }
        Assert.Equal(Cursor(one), Cursor(other));

        string Of(string run, string file) => Path.Combine(TinyRun.Checkpoint(In(run), step), file);
        string Cursor(string run) => JsonDocument.Parse(File.ReadAllText(Of(run, "state.json"))).RootElement.GetProperty("cursor").GetRawText();
    }

    /// <summary>The journal without what a clock wrote.</summary>
    private List<string> Journal(string run) =>
        [.. File.ReadLines(Path.Combine(In(run), "metrics.jsonl")).Select(line => string.Join(' ',
            JsonDocument.Parse(line).RootElement.EnumerateObject()
                .Where(property => !property.Name.Contains("second", StringComparison.Ordinal))
                .Select(property => $"{property.Name}={property.Value}")))];

    private static long Step(string line) => long.Parse(line.Split(' ')[0]["step=".Length..]);
}
