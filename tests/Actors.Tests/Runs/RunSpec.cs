using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors.Tests.Runs;

public sealed class RunSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("run-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_run_trains_evaluates_saves_writes_a_sample_and_completes()
    {
        var options = TinyRun.Options(_folder, 12);
        var (outcome, run) = await HostedRun.CompleteAsync(
            options with
            {
                Training = options.Training with { LearningRate = 1e-2 },
                Evaluation = options.Evaluation with { SamplePrompt = "むかしむかし", SampleTokens = 5 },
            });

        Assert.Equal(0, Assert.IsType<RunOutcome.Completed>(outcome).ExitCode);
        Assert.Equal(Enumerable.Range(1, 12).Select(step => (long)step), run.Steps.Select(step => step.Step));
        Assert.Equal(12 * 2 * 2 * 32, run.Steps.Last().TotalTokens);
        Assert.Equal([5, 10, 12], run.Events.OfType<TrainerProtocol.EvaluationCompleted>().Select(evaluation => evaluation.Step));
        Assert.Equal([4, 8, 12], run.Events.OfType<CheckpointProtocol.Written>().Select(written => written.Step));
        Assert.All(["tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"], file => // what AutoTokenizer reads
            Assert.True(File.Exists(Path.Combine(TinyRun.Checkpoint(_folder, 12), file)), file));
        Assert.StartsWith("むかしむかし", Assert.Single(run.Events.OfType<TrainerProtocol.SampleGenerated>()).Text, StringComparison.Ordinal);
        Assert.IsType<RunProtocol.Ended>(run.Events[^1]);
        // A new model guesses evenly, ln(vocabulary); after a dozen steps it must know better than that.
        Assert.True(run.Steps.Last().Loss < run.Steps.First().Loss, $"{run.Steps.First().Loss} then {run.Steps.Last().Loss}");
    }

    [Fact]
    public async Task Steps_go_on_while_held_out_text_is_late()
    {
        // More text than is read in the time of six steps, all of whose held-out blocks are wanted.
        var options = TinyRun.Options(_folder, 1_000_000);
        await using var run = await HostedRun.StartAsync(options with
        {
            Data = options.Data with { Sources = [new() { Paths = [.. Enumerable.Repeat(options.Data.Sources[0].Paths[0], 1000)] }] },
            Evaluation = new() { EvalSteps = 2, Batches = 1_000_000, HeldOutPatience = TimeSpan.Zero },
        });
        await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted { Step: 6 });
        Assert.Empty(run.Events.OfType<TrainerProtocol.EvaluationCompleted>());
        run.Run.RequestStop(StopSignal.Terminate);
        Assert.IsType<RunOutcome.Stopped>(await run.EndAsync());
    }

    [Fact]
    public async Task The_hosts_shutdown_finishes_the_step_and_writes_a_checkpoint()
    {
        await using var run = await HostedRun.StartAsync(TinyRun.Options(_folder, 1_000_000));
        await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted { Step: 6 });
        await run.ShutDownAsync();
        var stopped = Assert.IsType<RunOutcome.Stopped>(await run.EndAsync());
        Assert.Equal(143, stopped.ExitCode);
        var last = run.Steps.Last().Step;
        Assert.Equal(last, Checkpoint.Open(TinyRun.Checkpoint(_folder, last)).Training.Step);
    }

    [Fact]
    public async Task A_stop_before_the_first_step_ends_the_run_at_once()
    {
        await using var run = await HostedRun.StartAsync(TinyRun.Options(_folder, 1_000_000));
        run.Run.RequestStop(StopSignal.Terminate);
        Assert.IsType<RunOutcome.Stopped>(await run.EndAsync());
    }

    [Fact]
    public async Task A_stop_is_heard_while_a_server_takes_the_connection_and_never_answers()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var options = TinyRun.Options(_folder, 12);
        options = options with { Data = options.Data with { Sources = [new() { Paths = [$"http://{server.LocalEndpoint}/text.txt"], Epochs = 0 }] } };
        await using var run = await HostedRun.StartAsync(options);
        using var connection = await server.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
        run.Run.RequestStop(StopSignal.Terminate);
        Assert.IsType<RunOutcome.Stopped>(await run.Run.Outcome.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_stop_reaches_a_trainer_that_waits_for_text()
    {
        var options = TinyRun.Options(_folder, 1_000_000);
        var pipe = Path.Combine(_folder, "silent");
        System.Diagnostics.Process.Start("mkfifo", pipe).WaitForExit();
        using var writer = new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite); // holds the pipe open, writes nothing
        await using var run = await HostedRun.StartAsync(options with { Data = options.Data with { Sources = [new() { Paths = [pipe], Epochs = 0 }], ValidationFraction = 0 } });
        await run.SeeAsync(happened => happened is RunProtocol.Started);
        run.Run.RequestStop(StopSignal.Interrupt);
        Assert.IsType<RunOutcome.Stopped>(await run.EndAsync());
    }

    [Fact]
    public async Task Commands_to_the_run_are_done_between_steps()
    {
        var options = TinyRun.Options(_folder, 1_000_000);
        await using var run = await HostedRun.StartAsync(
            options with { Checkpoints = new() { SaveSteps = 0 }, Evaluation = options.Evaluation with { EvalSteps = 0 } });
        await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted);
        run.Supervisor.Tell(new TrainerProtocol.Evaluate(), Akka.Actor.ActorRefs.NoSender);
        run.Supervisor.Tell(new TrainerProtocol.SaveCheckpoint(), Akka.Actor.ActorRefs.NoSender);
        await run.SeeAsync(happened => happened is TrainerProtocol.EvaluationCompleted);
        await run.SeeAsync(happened => happened is CheckpointProtocol.Written);
        run.Run.RequestStop(StopSignal.Terminate);
        Assert.IsType<RunOutcome.Stopped>(await run.EndAsync());
    }

    [Fact]
    public async Task Sources_that_are_used_up_complete_the_run_with_a_sentence()
    {
        var options = TinyRun.Options(_folder, 1_000_000);
        var (outcome, run) = await HostedRun.CompleteAsync(options with
        {
            Data = options.Data.WithEpochs(1) with { Rows = 16, BlockSize = 128 },
        });
        Assert.Contains("used up", Assert.IsType<RunOutcome.Completed>(outcome).Sentence, StringComparison.Ordinal);
        var last = run.Steps.Last().Step;
        Assert.Equal(last, run.Events.OfType<CheckpointProtocol.Written>().Last().Step);
        Assert.Equal(last, run.Events.OfType<TrainerProtocol.EvaluationCompleted>().Last().Step);
    }

    [Fact]
    public async Task Sources_without_enough_text_for_one_step_fail_the_run()
    {
        var source = Path.Combine(_folder, "short.txt");
        File.WriteAllText(source, "短い。\n");
        var options = TinyRun.Options(Path.Combine(_folder, "run"), 10);
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Data = options.Data with { Sources = [source], ValidationFraction = 0 } });
        Assert.Contains(source, Assert.IsType<RunOutcome.Failed>(outcome).Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Held_out_text_that_fills_no_block_is_noticed_and_ends_nothing()
    {
        var options = TinyRun.Options(_folder, 2);
        var (outcome, run) = await HostedRun.CompleteAsync(
            options with { Data = options.Data with { ValidationFraction = 1e-9 } });
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Empty(run.Events.OfType<TrainerProtocol.EvaluationCompleted>());
        Assert.Contains(run.Events.OfType<RunProtocol.Noticed>(), notice => notice.Sentence.Contains("data.validation-fraction", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_source_that_breaks_off_fails_the_run_after_a_checkpoint_and_names_the_file()
    {
        var source = Path.Combine(_folder, "broken.txt.gz");
        using (var file = File.Create(source))
        using (var gzip = new GZipStream(file, CompressionLevel.Fastest))
        {
            for (var copy = 0; copy < 8; copy++)
                gzip.Write(File.ReadAllBytes(Path.Combine(TinyRun.Samples, "corpus-ja.txt")));
        }
        using (var file = new FileStream(source, FileMode.Open))
            file.SetLength(file.Length / 2);
        var options = TinyRun.Options(Path.Combine(_folder, "run"), 1_000_000);
        var (outcome, run) = await HostedRun.CompleteAsync(options with
        {
            Data = options.Data with { Sources = [new() { Paths = [source], Epochs = 0 }], ValidationFraction = 0, Rows = 16, BlockSize = 64 },
        });
        var failed = Assert.IsType<RunOutcome.Failed>(outcome);
        Assert.Contains(source, failed.Sentence, StringComparison.Ordinal);
        Assert.Equal(1, failed.ExitCode);
        Assert.Null(failed.Bug);
        Assert.Equal(run.Steps.Last().Step, run.Events.OfType<CheckpointProtocol.Written>().Last().Step);
    }

    [Fact]
    public async Task A_checkpoint_that_cannot_be_written_does_not_end_the_run()
    {
        // A file where the checkpoint's folder must go.
        Directory.CreateDirectory(Path.Combine(_folder, "checkpoints"));
        File.WriteAllText(TinyRun.Checkpoint(_folder, 4), "in the way");
        var (outcome, run) = await HostedRun.CompleteAsync(TinyRun.Options(_folder, 8));
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal(4, Assert.Single(run.Events.OfType<CheckpointProtocol.Failed>()).Step);
        Assert.Equal(8, Assert.Single(run.Events.OfType<CheckpointProtocol.Written>()).Step);
    }
}
