using System.Text.Json;
using Streaming.Model.Adapters;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Tests.Adapters;

namespace Streaming.Model.Tests.Gpu;

/// <summary>Adapters trained by the fused engine, beside the reference engine's; each test needs a GPU and is skipped without.</summary>
[Collection(GpuCollection.Name)]
public sealed class LoraSpec
{
    private const int Rows = 4, Tokens = 64;

    private static readonly MistralConfig Config = new()
    {
        VocabularySize = 500,
        HiddenSize = 128,
        IntermediateSize = 320,
        LayerCount = 5,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 32,
        MaxPositions = 256,
    };

    private static readonly LoraOptions All = new() { Rank = 8, Alpha = 16 };
    private static readonly LoraOptions Few = new() { Rank = 5, Alpha = 10, TargetModules = ["q_proj", "v_proj", "up_proj", "down_proj"] };

    /// <summary>All modules, or few with a rank that is filled up; precision; wide residual stream; recomputation.</summary>
    public static TheoryData<bool, Precision, bool, Recomputation> Cases => new()
    {
        { true, Precision.BFloat16, true, Recomputation.None },
        { false, Precision.BFloat16, true, Recomputation.Layer },
        { true, Precision.BFloat16, false, Recomputation.Layer },
        { false, Precision.BFloat16, false, Recomputation.None },
        { true, Precision.Float16, true, Recomputation.Attention },
    };

    [Theory, MemberData(nameof(Cases))]
    public void Gradients_are_those_of_the_reference_engine(bool all, Precision precision, bool wide, Recomputation recompute)
    {
        Gpu.Require(precision);
        var lora = all ? All : Few;
        // Never beside one another: the graphs of a fused engine go on using libtorch's memory.
        var (expected, expectedLoss) = Gradients(new ReferenceEngine(Config, new OptimizerOptions(), Devices.Parse("cuda:0"), Precision.Float32, new RandomWeights(Config, 1), LowRank.Set(lora)));
        var (actual, loss) = Gradients(Engine(lora, precision, wide, recompute));
        var (worst, median, name) = EngineState.Distances(actual, expected);
        Gpu.Tell($"{lora.Describe()}, {precision}, wide {wide}, {recompute}: gradients {worst:g3} apart at most ({name}), {median:g3} in the median");
        // Measured on an H100: 0.027 and 0.014 in bf16, 0.003 and 0.0015 in fp16, as the whole model's; another draw is allowed half as much again.
        Assert.True(worst < 0.042 && median < 0.021, $"{worst:g3} ({name}), {median:g3}");
        Assert.Equal(expectedLoss, loss, 0.01);

        (Dictionary<string, float[]>, float) Gradients(ITrainingEngine engine)
        {
            using (engine)
            {
                var adapters = LowRank.Random(Config, lora);
                foreach (var parameter in engine.Parameters) parameter.Write(StateKind.Weight, adapters[parameter.Name]);
                engine.Accumulate(Text(0), Rows, 2);
                engine.Accumulate(Text(1), Rows, 2);
                var scale = engine.LossScale?.Scale ?? 1;
                return (EngineState.Read(engine, StateKind.Gradient).ToDictionary(entry => entry.Key, entry => entry.Value.Select(value => value / scale).ToArray()), engine.Update(0).Loss);
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void The_model_is_the_base_model_at_first_and_again_without_what_was_learned(bool all, Precision precision, bool wide, Recomputation recompute)
    {
        Gpu.Require(precision);
        double expected;
        using (var plain = Gpu.Fused(Config, new OptimizerOptions(), new RandomWeights(Config, 1), Rows, Tokens, precision, wide, deterministic: true)) expected = plain.Evaluate(Text(9), Rows);
        using var engine = Engine(all ? All : Few, precision, wide, recompute);
        Assert.Equal(expected, engine.Evaluate(Text(9), Rows));
        float first = Step(engine, 0).Loss, last = first;
        for (var step = 0; step < 20; step++) last = Step(engine, 0).Loss;
        Gpu.Tell($"{precision}, wide {wide}: loss {first:f3}, {last:f3} after 20 steps");
        Assert.True(last < first - 0.2, $"{first}, then {last}");
        Assert.NotEqual(expected, engine.Evaluate(Text(9), Rows));
        foreach (var parameter in engine.Parameters.Where(parameter => parameter.Name.Contains("lora_B", StringComparison.Ordinal)))
            parameter.Write(StateKind.Weight, new float[parameter.Shape[0] * parameter.Shape[1]]);
        Assert.Equal(expected, engine.Evaluate(Text(9), Rows));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Computing_layers_again_changes_no_bit_of_what_is_learned(bool wide)
    {
        Gpu.Require();
        using var plain = Engine(All, Precision.BFloat16, wide, Recomputation.None);
        for (var step = 0; step < 6; step++) Step(plain, step);
        foreach (var recompute in new[] { Recomputation.Attention, Recomputation.Layer, Recomputation.Host })
        {
            using var other = Engine(All, Precision.BFloat16, wide, recompute);
            for (var step = 0; step < 6; step++) Step(other, step);
            Assert.Equal(EngineState.Read(plain, StateKind.Weight), EngineState.Read(other, StateKind.Weight));
        }
    }

    [Theory, InlineData(Precision.BFloat16, true), InlineData(Precision.BFloat16, false), InlineData(Precision.Float16, true)]
    public void A_model_that_stays_in_host_memory_changes_no_bit_of_what_is_learned(Precision precision, bool wide)
    {
        Gpu.Require(precision);
        using var plain = Engine(Few, precision, wide, Recomputation.None);
        for (var step = 0; step < 6; step++) Step(plain, step);
        foreach (var recompute in new[] { Recomputation.None, Recomputation.Layer, Recomputation.Host })
        {
            using var streamed = Engine(Few, precision, wide, recompute, OffloadLevel.Parameters);
            Assert.True(streamed.HostBytes > 2 * streamed.ParameterCount);
            for (var step = 0; step < 6; step++) Step(streamed, step);
            Assert.Equal(EngineState.Read(plain, StateKind.Weight), EngineState.Read(streamed, StateKind.Weight));
            Assert.Equal(plain.Evaluate(Text(9), Rows), streamed.Evaluate(Text(9), Rows));
        }
    }

    [Fact]
    public void Twenty_steps_lead_where_the_reference_engine_gets()
    {
        Gpu.Require();
        var expected = Losses(new ReferenceEngine(Config, new OptimizerOptions { Beta2 = 0.99 }, Devices.Parse("cuda:0"), Precision.BFloat16, new RandomWeights(Config, 1), LowRank.Set(Few)));
        var difference = Losses(Engine(Few, Precision.BFloat16, wide: true, Recomputation.None)).Zip(expected, (one, other) => Math.Abs(one - other)).Max();
        Gpu.Tell($"losses differ by {difference:g3} at most");
        Assert.True(difference < 0.015, $"losses differ by {difference:g3}");

        static float[] Losses(ITrainingEngine engine)
        {
            using (engine) return [.. Enumerable.Range(0, 20).Select(step => Step(engine, step).Loss)];
        }
    }

    [Theory, InlineData(Precision.BFloat16), InlineData(Precision.Float16)]
    public void A_run_that_was_saved_and_restored_goes_on_to_the_bit(Precision precision)
    {
        Gpu.Require(precision);
        using var whole = Engine(Few, precision, wide: true, Recomputation.None);
        using var resumed = Engine(Few, precision, wide: true, Recomputation.None);
        for (var step = 0; step < 4; step++) Step(whole, step);
        Step(resumed, 50);
        var folder = Directory.CreateTempSubdirectory("lora").FullName;
        try
        {
            var state = new TrainingState { Step = 4, TokensSeen = 0, Cursor = JsonSerializer.SerializeToElement(0), Seed = 1 };
            Checkpoint.Open(CheckpointStore.Open(folder, Config).Write(whole.Capture(), state, null, givenUp: TestContext.Current.CancellationToken)).RestoreInto(resumed);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        for (var step = 4; step < 9; step++) Assert.Equal(Step(whole, step), Step(resumed, step));
        Assert.Equal(EngineState.Read(whole, StateKind.Weight), EngineState.Read(resumed, StateKind.Weight));
    }

    [Fact]
    public void Dropout_is_the_reference_engines()
    {
        Gpu.Require();
        Assert.Contains("training.lora.dropout is 0.1: set it to 0, or torch.engine = reference",
            Assert.Throws<NotSupportedException>(() => Engine(All with { Dropout = 0.1 }, Precision.BFloat16, true, Recomputation.None)).Message, StringComparison.Ordinal);
    }

    private static FusedEngine Engine(LoraOptions lora, Precision precision, bool wide, Recomputation recompute, OffloadLevel offload = OffloadLevel.None) =>
        FusedEngine.Create(Config, new OptimizerOptions { Beta2 = 0.99 }, new FusedEngineOptions(Rows, Tokens, Device: 0, Deterministic: true,
            Path.Combine(Path.GetTempPath(), "streaming-kernels"), precision, wide, offload, recompute, LowRank.Set(lora)), new RandomWeights(Config, 1));

    private static StepResult Step(ITrainingEngine engine, int step)
    {
        engine.Accumulate(Text(2 * step), Rows, 2);
        engine.Accumulate(Text(2 * step + 1), Rows, 2);
        return engine.Update(1e-2);
    }

    // Each token follows from the one before, mostly.
    private static int[] Text(int seed)
    {
        var random = new Random(seed);
        var tokens = new int[Rows * Tokens];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = i == 0 || random.Next(8) == 0 ? random.Next(Config.VocabularySize) : (tokens[i - 1] * 7 + 3) % Config.VocabularySize;
        return tokens;
    }
}
