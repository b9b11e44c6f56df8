using System.Reflection;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Model;
using Streaming.Model.Engines;
using Streaming.Streams;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Tests.Runs;

public sealed class RunOptionsBuilderSpec
{
    /// <summary>A key, another value than the built-in one, the option it becomes, and the value there.</summary>
    public static TheoryData<string, string, string, object> Mappings => new()
    {
        { "run.directory", "/r", "RunDirectory", "/r" },
        { "run.resume", "/c", "Training.Resume", "/c" },
        { "run.shutdown-timeout", "7s", "ShutdownTimeout", TimeSpan.FromSeconds(7) },
        { "log.level", "debug", "LogLevel", 1 },
        { "model.weights", "/w", "InitialWeights", "/w" },
        { "data.sources", "/s", "Data.Sources.Paths", new[] { "/s" } },
        { "data.tokenizer", "/t", "Data.Tokenizer", "/t" },
        { "data.normalize", "false", "Data.Normalize", false },
        { "data.append-end-of-sentence", "false", "Data.AppendEndOfSentence", false },
        { "data.block-size", "77", "Data.BlockSize", 77 },
        { "data.validation-fraction", "0.25", "Data.ValidationFraction", 0.25 },
        { "data.epochs", "3", "Data.Sources.Epochs", 3 },
        { "data.workers", "5", "Data.Workers", 5 },
        { "data.workers", "0", "Data.Workers", Environment.ProcessorCount },
        { "data.queue-capacity", "3", "Data.QueueCapacity", 3 },
        { "data.validation-rule", "tail", "Data.ValidationRule", ValidationRule.Tail },
        { "data.cleaning", "web", "Data.Sources.Cleaning", CleaningOptions.Web },
        { "data.shuffle-documents", "3", "Data.Shuffle.Documents", 3 },
        { "data.duplicates", "web", "Data.Sources.Cleaning.Duplicates", DuplicateOptions.Web },
        { "data.http-cache", "/h", "Data.Http.CacheFolder", "/h" },
        { "data.document-mask", "true", "Data.DocumentMask", true },
        { "data.token-cache", "/c", "Data.TokenCache", "/c" },
        { "data.format", "text", "Data.DocumentMask", false },
        { "training.per-device-train-batch-size", "3", "Data.Rows", 3 },
        { "training.gradient-accumulation-steps", "3", "Training.GradientAccumulationSteps", 3 },
        { "training.max-steps", "12345678901", "Training.MaxSteps", 12_345_678_901 },
        { "training.learning-rate", "0.5", "Training.LearningRate", 0.5 },
        { "training.lr-scheduler-type", "warmup-stable-decay", "Training.Schedule", ScheduleKind.WarmupStableDecay },
        { "training.warmup-steps", "3", "Training.WarmupSteps", 3L },
        { "training.min-lr-ratio", "0.25", "Training.MinimumLearningRateRatio", 0.25 },
        { "training.optimizer", "adamw-8bit", "Optimizer.Kind", OptimizerKind.AdamW8Bit },
        { "training.optimizer", "muon", "Optimizer.Kind", OptimizerKind.Muon },
        { "training.adam-beta1", "0.25", "Optimizer.Beta1", 0.25 },
        { "training.adam-beta2", "0.25", "Optimizer.Beta2", 0.25 },
        { "training.adam-epsilon", "0.25", "Optimizer.Epsilon", 0.25 },
        { "training.weight-decay", "0.25", "Optimizer.WeightDecay", 0.25 },
        { "training.weight-decay-targets", "matrices", "Optimizer.Decay", DecayTarget.Matrices },
        { "training.max-grad-norm", "0", "Optimizer.MaxGradientNorm", 0.0 },
        { "training.logging-steps", "3", "Training.LoggingSteps", 3 },
        { "training.eval-steps", "3", "Evaluation.EvalSteps", 3L },
        { "training.eval-batches", "3", "Evaluation.Batches", 3 },
        { "training.save-steps", "3", "Checkpoints.SaveSteps", 3L },
        { "training.save-total-limit", "7", "Checkpoints.SaveTotalLimit", 7 },
        { "training.save-minutes", "1.5", "Checkpoints.SaveInterval", TimeSpan.FromSeconds(90) },
        { "training.load-best-model-at-end", "true", "Checkpoints.LoadBestAtEnd", true },
        { "training.max-rollbacks", "7", "Training.MaxRollbacks", 7 },
        { "training.offload", "optimizer", "Training.Offload", OffloadLevel.Optimizer },
        { "training.recompute", "layer", "Training.Recompute", Recomputation.Layer },
        { "training.memory-limit", "3GiB", "Training.MemoryLimit", 3L << 30 },
        { "training.lora.rank", "8", "Training.Lora.Rank", 8 },
        { "training.restart-delay", "7s", "Training.RestartDelay", TimeSpan.FromSeconds(7) },
        { "training.spike-z-score", "7.5", "Training.SpikeZScore", 7.5 },
        { "training.spike-window", "7", "Training.SpikeWindow", 7 },
        { "training.spike-skip-steps", "7", "Training.SpikeSkipSteps", 7 },
        { "run.record-tokens", "true", "Checkpoints.RecordTokens", true },
        { "faults.plan", "engine@7", "Faults.Plan", "engine@7" },
        { "training.seed", "3", "Training.Seed", 3 },
        { "sample.prompt", "猫", "Evaluation.SamplePrompt", "猫" },
        { "sample.max-new-tokens", "3", "Evaluation.SampleTokens", 3 },
        { "torch.device", "cuda:1", "Training.Device", "cuda:1" },
        { "torch.precision", "bf16", "Training.Precision", Precision.BFloat16 },
        { "torch.precision", "fp16", "Training.Precision", Precision.Float16 },
        { "torch.residual", "float32", "Training.WideResidual", true },
        { "torch.residual", "bf16", "Training.WideResidual", false },
        { "torch.engine", "reference", "Training.Engine", "reference" },
        { "torch.deterministic", "true", "Training.Deterministic", true },
        { "torch.libtorch", "/l", "Training.Libtorch", "/l" },
    };

    /// <summary>The same where the sources hold instructions.</summary>
    public static TheoryData<string, string, string, object> InstructionMappings => new()
    {
        { "instructions.prompt-with-input", "<s>{input}{instruction}", "Data.Instructions.Template.WithInput", "<s>{input}{instruction}" },
        { "instructions.prompt-without-input", "\"\\n{instruction}\"", "Data.Instructions.Template.WithoutInput", "\n{instruction}" },
        { "instructions.loss", "all", "Data.Instructions.LossOnAnswerOnly", false },
        { "instructions.longer-than-block", "drop", "Data.Instructions.LongRecords", LongRecords.Drop },
        { "instructions.instruction-field", "q", "Data.Instructions.InstructionField", "q" },
        { "instructions.input-field", "q", "Data.Instructions.InputField", "q" },
        { "instructions.output-field", "a.b", "Data.Instructions.OutputField", "a.b" },
        { "instructions.validation-fraction", "0.25", "Data.ValidationFraction", 0.25 },
        { "instructions.shuffle", "true", "Data.Shuffle.Documents", int.MaxValue },
    };

    /// <summary>The same for the training of a tokenizer.</summary>
    public static TheoryData<string, string, string, object> TokenizerMappings => new()
    {
        { "tokenizer.vocab-size", "333", "VocabularySize", 333 },
        { "tokenizer.character-coverage", "0.25", "CharacterCoverage", 0.25 },
        { "tokenizer.byte-fallback", "false", "ByteFallback", false },
        { "tokenizer.add-dummy-prefix", "true", "AddDummyPrefix", true },
        { "tokenizer.input-sentence-size", "3", "InputSentenceSize", 3 },
        { "tokenizer.max-piece-length", "3", "MaxPieceLength", 3 },
        { "training.seed", "3", "Seed", 3L },
        { "data.workers", "5", "Workers", 5 },
    };

    [Theory]
    [MemberData(nameof(TokenizerMappings))]
    public void A_key_becomes_its_option_of_the_tokenizer(string key, string value, string option, object expected)
        => Assert.Equal(expected, Read(RunOptionsBuilder.BuildTokenizer(SettingsLoader.Load(null, [new Assignment($"{key}={value}")], _ => null)), option));

    [Theory]
    [MemberData(nameof(Mappings))]
    public void A_key_becomes_its_option(string key, string value, string option, object expected)
        => Assert.Equal(expected, Read(Build($"{key}={value}"), option));

    [Theory]
    [MemberData(nameof(InstructionMappings))]
    public void A_key_becomes_its_option_of_instructions(string key, string value, string option, object expected)
        => Assert.Equal(expected, Read(Build("data.format=instructions", $"{key}={value}"), option));

    [Fact]
    public void Instructions_are_put_as_the_recipe_does_a_tenth_is_held_out_and_they_are_shuffled()
    {
        var data = Build("data.format=instructions").Data;
        Assert.Equal(new InstructionOptions(), data.Instructions);
        Assert.Equal(0.1, data.ValidationFraction);
        Assert.NotNull(data.Shuffle);
        Assert.Null(Build("data.format=instructions", "instructions.shuffle=false").Data.Shuffle);
        Assert.Null(Build().Data.Instructions);
    }

    [Theory]
    [InlineData("instructions.prompt-with-input=x", "streaming.instructions.prompt-with-input cannot be used: the form with an input must hold {instruction} and {input}, was \"x\" (--set).")]
    [InlineData("instructions.prompt-without-input=x", "streaming.instructions.prompt-without-input cannot be used: the form without an input must hold {instruction} and not {input}, was \"x\" (--set).")]
    [InlineData("data.token-cache=/c", "streaming.data.token-cache must be none where data.format is instructions: records are read anew each epoch, which takes no time beside training (--set).")]
    [InlineData("data.cleaning=web", "streaming.data.cleaning cannot be used on source ")]
    [InlineData("data.duplicates=web", "streaming.data.duplicates cannot be used on source ")]
    public void What_does_not_fit_instructions_is_refused_with_its_key(string assignment, string sentence)
        => Assert.StartsWith(sentence, Assert.Single(Assert.Throws<UserErrorException>(() => Build("data.format=instructions", assignment)).Sentences));

    [Fact]
    public void Every_key_is_mapped()
    {
        // model.config is read, metrics, control, logs and the tokenizer's folder are this project's own, and some say nothing without another.
        var elsewhere = new[] { Keys.ModelConfig.Path, Keys.MetricsEnabled.Path, Keys.MetricsHost.Path, Keys.MetricsPort.Path, Keys.MetricsGpus.Path, Keys.PeakTeraflops.Path, Keys.TokenFile.Path, Keys.LogFormat.Path, Keys.TensorBoard.Path, Keys.WatchdogTimeout.Path, Keys.FaultSeed.Path, Keys.TokenizerDirectory.Path, Keys.ShuffleMegabytes.Path, Keys.RejectedFile.Path, Keys.LoraAlpha.Path, Keys.LoraDropout.Path, Keys.LoraTargets.Path };
        var mapped = Mappings.Concat(InstructionMappings).Concat(TokenizerMappings).Select(row => "streaming." + row.Data.Item1).Concat(elsewhere).Distinct();
        Assert.Equal(Keys.All.Select(k => k.Path).Order(), mapped.Order());
    }

    [Fact]
    public void Adapters_are_off_unless_they_have_a_rank()
    {
        Assert.Null(Build("training.lora.alpha=32").Training.Lora);
        var lora = Build("training.lora={ rank = 4, alpha = 32, dropout = 0.05, target-modules = [v_proj, q_proj] }").Training.Lora!;
        Assert.Equal((4, 32.0, 0.05, 8.0), (lora.Rank, lora.Alpha, lora.Dropout, lora.Scale));
        Assert.Equal(["q_proj", "v_proj"], lora.TargetModules);
        Assert.Equal(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], Build("training.lora.rank=1").Training.Lora!.TargetModules);
    }

    [Theory]
    [InlineData("rank=0", "rank must be none or an integer from 1 to 1024 (rows and columns), was 0")]
    [InlineData("rank=-1", "rank must be none or an integer from 1 to 1024 (rows and columns), was -1")]
    [InlineData("rank=8.5", "rank must be none or an integer from 1 to 1024 (rows and columns), was 8.5")]
    [InlineData("alpha=0", "alpha must be a number above 0, at most 1000000, was 0")]
    [InlineData("dropout=1", "dropout must be a number from 0 to below 1 (share), was 1")]
    [InlineData("target-modules=[q_proj, query]", "target-modules[1] must be one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, was query")]
    [InlineData("target-modules=lm_head", "target-modules must be all-linear, or one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, was lm_head")]
    [InlineData("target-modules=[q_proj, q_proj]", "target-modules[1] names q_proj a second time")]
    [InlineData("target-modules=[]", "target-modules must be all-linear or a list of q_proj, k_proj")]
    [InlineData("ranks=8", "ranks is no key; the nearest is streaming.training.lora.rank")]
    public void Adapters_that_cannot_be_are_refused_with_key_and_value(string assignment, string sentence)
        => Assert.StartsWith($"streaming.training.lora.{sentence}", Assert.Single(Assert.Throws<UserErrorException>(() => Build($"training.lora.{assignment}")).Sentences));

    [Fact]
    public void The_models_shape_comes_from_its_file()
        => Assert.Equal(2000, Build().Model.VocabularySize);

    [Fact]
    public void A_missing_model_is_one_sentence_with_the_key_and_the_place()
    {
        var mistake = Assert.Throws<UserErrorException>(() => Build("model.config=/nowhere/config.json"));
        Assert.Matches(@"^streaming\.model\.config cannot be used: /nowhere/config\.json cannot be read: .* \(--set\)\.$", Assert.Single(mistake.Sentences));
    }

    [Fact]
    public void A_block_longer_than_the_models_positions_is_refused()
        => Assert.StartsWith("streaming.data.block-size must be at most the model's max_position_embeddings, 512 in ",
            Assert.Single(Assert.Throws<UserErrorException>(() => Build("data.block-size=513")).Sentences));

    private static RunOptions Build(params string[] assignments)
        => RunOptionsBuilder.Build(SettingsLoader.Load(null, [.. assignments.Select(a => new Assignment(a))], _ => null));

    private static object? Read(object options, string path)
        => path.Split('.').Aggregate((object?)options, (value, name) => One(value).GetType().GetProperty(name, BindingFlags.Public | BindingFlags.Instance)!.GetValue(One(value)));

    /// <summary>The only source; anything else is itself.</summary>
    private static object One(object? value) => value is IReadOnlyList<SourceOptions> sources ? Assert.Single(sources) : value!;
}
