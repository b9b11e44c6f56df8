using Streaming.Model.Adapters;
using Streaming.Model.Engines;

namespace Streaming.Actors.Tests.Runs;

/// <summary>Runs that train adapters upon a model that another run has trained.</summary>
public sealed class LoraRunSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lora-run-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(string name) => Path.Combine(_folder, name);

    private async Task<string> TrainBaseAsync()
    {
        await HostedRun.CompleteAsync(TinyRun.Options(In("base"), 4));
        return TinyRun.Checkpoint(In("base"), 4);
    }

    private RunOptions Options(string run, string? weights, long steps)
    {
        var options = TinyRun.Options(In(run), steps);
        return options with
        {
            InitialWeights = weights,
            Training = options.Training with { Lora = new LoraOptions { Rank = 4, Dropout = 0.1, TargetModules = ["q_proj", "down_proj"] }, LearningRate = 1e-2 },
            Evaluation = options.Evaluation with { SamplePrompt = "むかし", SampleTokens = 3 },
        };
    }

    [Fact]
    public async Task A_run_that_was_stopped_goes_on_to_the_bit_and_its_checkpoint_holds_adapters_alone()
    {
        var weights = await TrainBaseAsync();
        var (straight, run) = await HostedRun.CompleteAsync(Options("straight", weights, 9));
        Assert.IsType<RunOutcome.Completed>(straight);
        Assert.StartsWith("むかし", Assert.Single(run.Events.OfType<TrainerProtocol.SampleGenerated>()).Text, StringComparison.Ordinal);
        await using (var half = await HostedRun.StartAsync(Options("halves", weights, 9)))
        {
            await half.SeeAsync(happened => happened is TrainerProtocol.StepCompleted { Step: 5 });
            half.Run.RequestStop(StopSignal.Interrupt);
            await half.EndAsync();
        }
        Assert.IsType<RunOutcome.Completed>((await HostedRun.CompleteAsync(Options("halves", weights, 9))).Outcome);
        foreach (var file in new[] { "adapter_model.safetensors", "optimizer.safetensors", "adapter_config.json" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(In("straight"), 9), file)), File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(In("halves"), 9), file)));
        Assert.False(File.Exists(Path.Combine(TinyRun.Checkpoint(In("straight"), 9), "model.safetensors")));
        // The loss is that of a model that knows something already.
        Assert.True(run.Steps.First().Loss < Math.Log(TinyRun.Model.VocabularySize) - 0.01, $"{run.Steps.First().Loss}");
    }

    [Fact]
    public async Task What_does_not_fit_is_refused_with_key_and_remedy_and_leaves_everything_as_it_was()
    {
        var weights = await TrainBaseAsync();
        await HostedRun.CompleteAsync(Options("run", weights, 2));
        var good = Options("run", weights, 4);
        var before = Directory.GetFileSystemEntries(_folder, "*", SearchOption.AllDirectories).Order().ToList();
        await Refused(good with { InitialWeights = null }, "model.weights is random: name its folder in model.weights, or set training.lora.rank = none");
        await Refused(good with { InitialWeights = TinyRun.Checkpoint(In("run"), 2) }, "holds adapters: merge them with \"streaming export --model ");
        await Refused(good with { Training = good.Training with { Lora = null } }, "holds adapters, and training.lora.rank is none: set it to 4");
        await Refused(good with { Training = good.Training with { Lora = good.Training.Lora! with { Rank = 8 } } }, "training.lora.rank is 4 there and 8 in this run");
        await Refused(good with { RunDirectory = In("base") }, "holds a whole model's training, and training.lora trains adapters");
        await Refused(good with { Optimizer = good.Optimizer with { Kind = OptimizerKind.Muon } }, "training.optimizer is muon: set training.optimizer = adamw");
        await Refused(good with { Training = good.Training with { Offload = OffloadLevel.Optimizer, Device = "auto", Precision = null } }, "set training.offload = none");
        Assert.Equal(before, Directory.GetFileSystemEntries(_folder, "*", SearchOption.AllDirectories).Order());

        static async Task Refused(RunOptions options, string part)
        {
            var (outcome, run) = await HostedRun.CompleteAsync(options);
            var failed = Assert.IsType<RunOutcome.Failed>(outcome);
            Assert.Contains(part, failed.Sentence, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', failed.Sentence);
            Assert.Equal(2, failed.ExitCode);
            Assert.Null(failed.Bug);
            Assert.Empty(run.Steps);
        }
    }

    [Fact]
    public async Task Weights_to_start_from_may_be_adapters_which_are_merged()
    {
        var weights = await TrainBaseAsync();
        await HostedRun.CompleteAsync(Options("adapters", weights, 6));
        var options = TinyRun.Options(In("whole"), 1) with { InitialWeights = TinyRun.Checkpoint(In("adapters"), 6) };
        using var merged = EngineFactory.Create(options, _ => { });
        using var adapted = EngineFactory.Create(Options("adapters", weights, 6), _ => { });
        Streaming.Model.Checkpoints.Checkpoint.Open(TinyRun.Checkpoint(In("adapters"), 6)).RestoreInto(adapted);
        int[] tokens = [.. Enumerable.Range(0, 64).Select(i => 5 + 7 * i % 1000)];
        Assert.Equal(adapted.Evaluate(tokens, 2), merged.Evaluate(tokens, 2), 1e-5);
    }
}
