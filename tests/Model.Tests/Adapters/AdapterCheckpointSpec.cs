using System.Text.Json;
using Streaming.Model.Adapters;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;
using Streaming.Model.Tests.Gpu;

namespace Streaming.Model.Tests.Adapters;

public sealed class AdapterCheckpointSpec : IDisposable
{
    private static readonly MistralConfig Config = TinyModels.Config;

    private readonly string _folder = Directory.CreateTempSubdirectory("adapters-").FullName;
    private readonly string _fingerprint;

    public AdapterCheckpointSpec() => _fingerprint = LowRank.WriteBase(Base, Config, seed: 1);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Base => Path.Combine(_folder, "base");

    private ReferenceEngine New(LoraOptions? lora, int seed = 1) => new(Config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new RandomWeights(Config, seed),
        lora is null ? null : LowRank.Set(lora, Base, seed == 1 ? _fingerprint : "another"));

    private string Save(ReferenceEngine engine, long step) => CheckpointStore.Open(_folder, Config).Write(EngineSnapshot.Take(engine),
        new TrainingState { Step = step, TokensSeen = 0, Cursor = JsonSerializer.SerializeToElement(0), Seed = 1 }, tokenizer: null);

    private static StepResult Step(ReferenceEngine engine, int step)
    {
        for (var part = 0; part < 2; part++) engine.Accumulate(TinyModels.Tokens(Config, 4, 16, seed: 2 * step + part), 4, 2);
        return engine.Update(1e-2);
    }

    [Theory, InlineData(0), InlineData(0.2)]
    public void A_run_that_was_saved_and_restored_goes_on_to_the_bit(double dropout)
    {
        var lora = LowRank.Lora with { Dropout = dropout };
        using var whole = New(lora);
        for (var step = 0; step < 3; step++) Step(whole, step);
        var folder = Save(whole, 3);
        using var resumed = New(lora);
        Step(resumed, 77); // is overwritten
        Checkpoint.Open(folder).RestoreInto(resumed);
        for (var step = 3; step < 6; step++) Assert.Equal(Step(whole, step), Step(resumed, step));
        foreach (var kind in new[] { StateKind.Weight, StateKind.FirstMoment, StateKind.SecondMoment })
            Assert.Equal(EngineState.Read(whole, kind), EngineState.Read(resumed, kind));
    }

    [Fact]
    public void The_folder_holds_what_PEFT_reads_and_no_weight_of_the_model()
    {
        using var engine = New(LowRank.Lora with { Dropout = 0.1 });
        var folder = Save(engine, 1);
        Assert.Equal(["SHA256SUMS", "adapter_config.json", "adapter_model.safetensors", "config.json", "optimizer.safetensors", "state.json"],
            Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")));
        var root = config.RootElement;
        Assert.Equal(("LORA", "CAUSAL_LM", 3, 12, 0.1, "none", Base), (root.GetProperty("peft_type").GetString(), root.GetProperty("task_type").GetString(), root.GetProperty("r").GetInt32(),
            root.GetProperty("lora_alpha").GetInt32(), root.GetProperty("lora_dropout").GetDouble(), root.GetProperty("bias").GetString(), root.GetProperty("base_model_name_or_path").GetString()));
        Assert.Equal(LowRank.Lora.TargetModules, root.GetProperty("target_modules").EnumerateArray().Select(module => module.GetString()));
        using var weights = SafetensorsFile.Open(Path.Combine(folder, "adapter_model.safetensors"));
        Assert.Equal(engine.Parameters.Select(parameter => (parameter.Name, parameter.Shape.Count)), weights.Tensors.Select(tensor => (tensor.Name, tensor.Shape.Count)));
        Assert.All(weights.Tensors, tensor => Assert.Equal(TensorType.F32, tensor.Type));
    }

    [Fact]
    public void Merged_weights_compute_what_adapters_beside_the_model_do()
    {
        using var engine = New(LowRank.Lora);
        for (var step = 0; step < 5; step++) Step(engine, step);
        using var merged = ModelWeights.Open(Config, Save(engine, 5));
        using var whole = new ReferenceEngine(Config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, merged);
        using var present = ModelWeights.Of(engine);
        using var same = new ReferenceEngine(Config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, present);
        var tokens = TinyModels.Tokens(Config, 4, 16, seed: 99);
        var expected = engine.Evaluate(tokens, 4);
        // Sums in another order: some roundings of a loss near 5.
        Assert.Equal(expected, whole.Evaluate(tokens, 4), 1e-5);
        Assert.Equal(whole.Evaluate(tokens, 4), same.Evaluate(tokens, 4));
        using var plain = New(null);
        Assert.NotEqual(plain.Evaluate(tokens, 4), expected, 1e-3);
    }

    [Fact]
    public void A_checkpoint_of_something_else_is_refused_with_the_key()
    {
        using var adapted = New(LowRank.Lora);
        using var plain = New(null);
        var (adapters, model) = (Checkpoint.Open(Save(adapted, 1)), Checkpoint.Open(Save(plain, 2)));
        Refused(adapters, plain, "holds adapters, and training.lora.rank is none: set it to 3, or choose another run directory");
        Refused(model, adapted, $"{model.Folder} holds a whole model's training, and training.lora trains adapters: set model.weights to that folder");
        using var wider = New(LowRank.Lora with { Rank = 4 });
        Refused(adapters, wider, "training.lora.rank is 3 there and 4 in this run");
        using var louder = New(LowRank.Lora with { Alpha = 1.5 });
        Refused(adapters, louder, "training.lora.alpha is 12 there and 1.5 in this run");
        using var fewer = New(LowRank.Lora with { TargetModules = ["q_proj"] });
        Refused(adapters, fewer, "training.lora.target-modules is [q_proj, v_proj, o_proj, gate_proj, down_proj] there and [q_proj] in this run");
        using var moved = New(LowRank.Lora, seed: 2);
        Refused(adapters, moved, "holds adapters for other weights than those in ");
        adapters.RestoreInto(adapted);

        static void Refused(Checkpoint checkpoint, ReferenceEngine engine, string part)
        {
            var before = EngineState.Read(engine, StateKind.Weight);
            var message = Assert.Throws<CheckpointException>(() => checkpoint.RestoreInto(engine)).Message;
            Assert.Contains(part, message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
            Assert.Equal(before, EngineState.Read(engine, StateKind.Weight));
        }
    }

    [Fact]
    public void Adapters_of_another_base_or_a_base_that_is_gone_are_not_merged()
    {
        using var engine = New(LowRank.Lora);
        var folder = Save(engine, 1);
        LowRank.WriteBase(Base, Config, seed: 2);
        Assert.Contains($"holds adapters for other weights than those in {Base}", Merging().Message, StringComparison.Ordinal);
        Directory.Delete(Base, recursive: true);
        Assert.Contains($"names {Base} as the base model, and there is no such folder here", Merging().Message, StringComparison.Ordinal);

        ModelException Merging() => Assert.ThrowsAny<ModelException>(() => ModelWeights.Open(Config, folder));
    }

    [Theory]
    [InlineData("\"r\": 3", "\"r\": 0", "r must be a whole number from 1")]
    [InlineData("\"r\": 3", "\"r\": 4", "has the shape [3, 32], rank and model ask for [4, 32]")]
    [InlineData("\"LORA\"", "\"IA3\"", "peft_type must be LORA")]
    [InlineData("\"none\"", "\"all\"", "bias must be none")]
    [InlineData("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", "modules_to_save must be empty")]
    [InlineData("\"modules_to_save\": null", "\"use_dora\": true", "use_dora must be false")]
    [InlineData("\"modules_to_save\": null", "\"rank_pattern\": {\"q_proj\": 2}", "rank_pattern must be empty")]
    [InlineData("\"lora_alpha\": 12", "\"lora_alpha\": -1", "lora_alpha must be a number above 0")]
    [InlineData("{", "", "is not JSON")]
    public void Adapters_that_cannot_be_read_are_told_with_the_key(string written, string instead, string part)
    {
        using var engine = New(LowRank.Lora);
        var folder = Save(engine, 1);
        var config = Path.Combine(folder, "adapter_config.json");
        var text = File.ReadAllText(config);
        Assert.Contains(written, text, StringComparison.Ordinal);
        File.WriteAllText(config, text.Replace(written, instead, StringComparison.Ordinal));
        var message = Assert.ThrowsAny<ModelException>(() => ModelWeights.Open(Config, folder)).Message;
        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Rank_stabilised_adapters_count_alpha_over_the_root_of_the_rank()
    {
        using var engine = New(LowRank.Lora);
        var folder = Save(engine, 1);
        var config = Path.Combine(folder, "adapter_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"modules_to_save\": null", "\"use_rslora\": true", StringComparison.Ordinal));
        using var adapters = AdapterFolder.Open(folder, Config);
        Assert.Equal(12 / Math.Sqrt(3), adapters.Lora.Scale, 1e-12);
    }
}
