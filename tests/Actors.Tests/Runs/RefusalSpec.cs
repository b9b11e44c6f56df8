using Streaming.Model.Engines;

namespace Streaming.Actors.Tests.Runs;

public sealed class RefusalSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("refusal-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_second_run_in_the_same_directory_is_refused_and_the_first_goes_on()
    {
        await using var first = await HostedRun.StartAsync(TinyRun.Options(_folder, 1_000_000));
        await first.SeeAsync(happened => happened is TrainerProtocol.StepCompleted);
        var (second, _) = await HostedRun.CompleteAsync(TinyRun.Options(_folder, 1_000_000));
        AssertRefused(second, _folder, "in use");
        Assert.False(first.Run.Outcome.IsCompleted);
    }

    [Fact]
    public async Task A_run_directory_of_another_model_is_refused_and_left_as_it_was()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(_folder, 2));
        var before = Directory.GetFileSystemEntries(_folder, "*", SearchOption.AllDirectories).Order().ToList();
        var options = TinyRun.Options(_folder, 4);
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Model = options.Model with { LayerCount = 3 } });
        AssertRefused(outcome, _folder, "num_hidden_layers is 2 there and 3 in this run");
        Assert.Equal(before, Directory.GetFileSystemEntries(_folder, "*", SearchOption.AllDirectories).Order());
    }

    [Fact]
    public async Task A_run_directory_without_one_whole_checkpoint_is_refused_and_left_as_it_was()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(_folder, 2));
        var weights = Path.Combine(TinyRun.Checkpoint(_folder, 2), "model.safetensors");
        using (var file = new FileStream(weights, FileMode.Open))
            file.SetLength(file.Length - 1);
        var (outcome, _) = await HostedRun.CompleteAsync(TinyRun.Options(_folder, 4));
        AssertRefused(outcome, Path.Combine(_folder, "checkpoints"), "training.resume = never");
        Assert.True(File.Exists(weights));
    }

    [Fact]
    public async Task A_checkpoint_to_resume_that_does_not_exist_is_refused()
    {
        var options = TinyRun.Options(_folder, 4);
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Training = options.Training with { Resume = "/no/such/place" } });
        AssertRefused(outcome, "/no/such/place");
    }

    [Fact]
    public async Task A_tokenizer_with_more_pieces_than_the_model_is_refused()
    {
        var options = TinyRun.Options(_folder, 4);
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Model = options.Model with { VocabularySize = 300 } });
        AssertRefused(outcome, "300", options.Data.Tokenizer);
    }

    [Fact]
    public async Task A_tokenizer_that_is_none_is_refused()
    {
        var options = TinyRun.Options(_folder, 4);
        var tokenizer = options.Data.Sources[0].Paths[0];
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Data = options.Data with { Tokenizer = tokenizer } });
        AssertRefused(outcome, tokenizer);
    }

    [Fact]
    public async Task A_source_that_does_not_exist_is_refused()
    {
        var options = TinyRun.Options(_folder, 4);
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Data = options.Data with { Sources = ["/no/such/text.xz"] } });
        AssertRefused(outcome, "/no/such/text.xz");
    }

    [Fact]
    public async Task An_engine_that_this_machine_does_not_have_is_refused()
    {
        var options = TinyRun.Options(_folder, 4);
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Training = options.Training with { Engine = "fused" } });
        AssertRefused(outcome, "torch.engine = fused");
    }

    [Theory]
    [InlineData("training.offload")]
    [InlineData("torch.precision = fp8")]
    [InlineData("torch.engine = fused")]
    [InlineData("torch.libtorch = /no/such/torch")]
    [InlineData("model.weights cannot be used with model.config: there is no file or folder /no/such/weights")]
    [InlineData("there is no checkpoint at /no/such/place")]
    public async Task What_needs_no_engine_to_be_seen_is_refused_before_the_folder_is_made(string named)
    {
        var options = TinyRun.Options(Path.Combine(_folder, "run"), 4);
        var training = options.Training with { Device = "cpu" };
        options = named.Split(' ')[0] switch
        {
            "training.offload" => options with { Training = training with { Offload = OffloadLevel.Optimizer } },
            "torch.precision" => options with { Training = training with { Precision = Precision.Float8 } },
            "torch.engine" => options with { Training = training with { Engine = "fused" } },
            "torch.libtorch" => options with { Training = training with { Libtorch = "/no/such/torch" } },
            "model.weights" => options with { InitialWeights = "/no/such/weights" },
            _ => options with { Training = training with { Resume = "/no/such/place" } },
        };
        await using var run = await HostedRun.StartAsync(options);
        AssertRefused(await run.Run.Outcome, named);
        Assert.False(run.Run.Accepted.IsCompleted);
        Assert.False(Directory.Exists(options.RunDirectory));
    }

    [Fact]
    public async Task A_named_checkpoint_of_another_model_is_refused_and_nothing_is_set_aside()
    {
        var (first, second) = (Path.Combine(_folder, "first"), Path.Combine(_folder, "second"));
        await HostedRun.CompleteAsync(TinyRun.Options(first, 2));
        var other = TinyRun.Options(second, 2);
        other = other with { Model = other.Model with { LayerCount = 1 } };
        await HostedRun.CompleteAsync(other);
        var (outcome, _) = await HostedRun.CompleteAsync(
            other with { Training = other.Training with { Resume = TinyRun.Checkpoint(first, 2) } });
        AssertRefused(outcome, TinyRun.Checkpoint(first, 2), "num_hidden_layers");
        Assert.False(Directory.Exists(Path.Combine(second, "set-aside")));
    }

    [Fact]
    public async Task A_cursor_that_does_not_fit_the_sources_is_refused_and_the_checkpoints_stay()
    {
        var source = Path.Combine(_folder, "text.txt");
        File.Copy(TinyRun.Options(_folder, 2).Data.Sources[0].Paths[0], source);
        var options = TinyRun.Options(Path.Combine(_folder, "run"), 2);
        options = options with { Data = options.Data with { Sources = [new() { Paths = [source], Epochs = 0 }] } };
        await HostedRun.CompleteAsync(options);
        File.AppendAllText(source, "もっと。\n");
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Training = options.Training with { MaxSteps = 4 } });
        AssertRefused(outcome, "text.txt");
        Assert.True(Directory.Exists(TinyRun.Checkpoint(options.RunDirectory, 2)));
    }

    [Fact]
    public async Task A_device_that_this_machine_does_not_have_is_refused()
    {
        var options = TinyRun.Options(_folder, 4);
        var (outcome, _) = await HostedRun.CompleteAsync(options with { Training = options.Training with { Device = "cuda:99" } });
        AssertRefused(outcome, "cuda:99");
    }

    private static void AssertRefused(RunOutcome outcome, params string[] named)
    {
        var failed = Assert.IsType<RunOutcome.Failed>(outcome);
        Assert.Equal(2, failed.ExitCode);
        Assert.Null(failed.Bug);
        Assert.DoesNotContain('\n', failed.Sentence);
        foreach (var name in named)
            Assert.Contains(name, failed.Sentence, StringComparison.Ordinal);
    }
}
