using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;

namespace Streaming.Actors.Tests.Runs;

public sealed class RunChecksSpec
{
    [Fact]
    public void A_disk_without_room_for_a_checkpoint_is_told_before_anything_is_touched()
    {
        var root = Directory.CreateTempSubdirectory("room").FullName;
        try
        {
            var options = TinyRun.Options(Path.Combine(root, "runs", "new"), maxSteps: 1);
            var parameters = Streaming.Model.Parameters.ModelParameter.Of(options.Model).Sum(parameter => parameter.Count);
            string? asked = null;
            var refusal = Assert.Throws<RunRefusedException>(() => RunChecks.RequireRoom(options, folder =>
            {
                asked = folder;
                return CheckpointStore.BytesOf(parameters) - 1;
            }));
            Assert.Equal(root, asked); // the folder itself is yet to be made
            Assert.Contains($"free in {root}: make room there, or set run.directory", refusal.Message, StringComparison.Ordinal);
            RunChecks.RequireRoom(options, _ => CheckpointStore.BytesOf(parameters));
            RunChecks.RequireRoom(options, _ => null);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void A_checkpoint_of_adapters_needs_room_for_adapters_alone()
    {
        var options = TinyRun.Options(Path.GetTempPath(), maxSteps: 1);
        options = options with { Training = options.Training with { Lora = new Streaming.Model.Adapters.LoraOptions { Rank = 2, TargetModules = ["k_proj"] } } };
        // Two layers, A (2, 32) and B (16, 2).
        var bytes = CheckpointStore.BytesOf(2 * (64 + 32));
        RunChecks.RequireRoom(options, _ => bytes);
        Assert.Throws<RunRefusedException>(() => RunChecks.RequireRoom(options, _ => bytes - 1));
    }

    /// <summary>What the engine says when it is built, on a machine where memory is short: each is a sentence before the first step, and nothing is tried again.</summary>
    [Theory]
    [InlineData("training.offload = optimizer needs 42.7 GiB of host memory and 32.0 GiB are free: set training.optimizer = adamw-8bit, or a smaller model in model.config")]
    [InlineData("2.1 GiB of host memory could not be page-locked for the GPU (CUDA_ERROR_OUT_OF_MEMORY; ulimit -l allows 64 KiB, 90.0 GiB are free): raise the limit")]
    [InlineData("the system refuses 2.1 GiB of host memory (Cannot allocate memory): see ulimit -v and vm.overcommit_memory, or set training.offload to a lower level")]
    public async Task Host_memory_that_is_refused_ends_the_run_before_its_first_step(string sentence)
    {
        var folder = Directory.CreateTempSubdirectory("memory").FullName;
        try
        {
            var engines = 0;
            var (outcome, run) = await HostedRun.CompleteAsync(TinyRun.Options(folder, 2), (_, _) =>
            {
                engines++;
                throw new Streaming.Model.Fused.Offload.HostMemoryException(sentence);
            });
            var failed = Assert.IsType<RunOutcome.Failed>(outcome);
            Assert.Equal((sentence, 2, 1), (failed.Sentence, failed.ExitCode, engines));
            Assert.Null(failed.Bug);
            Assert.Empty(run.Steps);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(OptimizerKind.Muon, OffloadLevel.Optimizer, Recomputation.None, null, "auto", "set training.optimizer = adamw or adamw-8bit, or training.offload = none")]
    [InlineData(OptimizerKind.AdamW, OffloadLevel.Parameters, Recomputation.None, Precision.Float8, "auto", "set torch.precision = bf16, or training.offload = optimizer")]
    [InlineData(OptimizerKind.AdamW, OffloadLevel.None, Recomputation.Layer, Precision.Float8, "auto", "set torch.residual = bf16, or torch.precision = bf16")]
    [InlineData(OptimizerKind.AdamW, OffloadLevel.Optimizer, Recomputation.None, null, "reference", "torch.engine is reference: set both to none or auto")]
    [InlineData(OptimizerKind.AdamW, OffloadLevel.None, Recomputation.Attention, Precision.Float32, "auto", "torch.precision is float32: set both to none or auto")]
    public async Task What_cannot_be_computed_together_is_refused_before_anything_is_made(
        OptimizerKind optimizer, OffloadLevel offload, Recomputation recompute, Precision? precision, string engine, string remedy)
    {
        var folder = Directory.CreateTempSubdirectory("together").FullName;
        try
        {
            var options = TinyRun.Options(folder, 2);
            var (outcome, _) = await HostedRun.CompleteAsync(options with
            {
                Optimizer = options.Optimizer with { Kind = optimizer },
                Training = options.Training with { Device = "auto", Precision = precision, Offload = offload, Recompute = recompute, Engine = engine, WideResidual = true },
            });
            var failed = Assert.IsType<RunOutcome.Failed>(outcome);
            Assert.EndsWith(remedy, failed.Sentence, StringComparison.Ordinal);
            Assert.Equal(2, failed.ExitCode);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
