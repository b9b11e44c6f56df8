using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Gpu;

/// <summary>Whole steps with state in host memory and layers computed again, beside the plain engine's; each test needs a GPU and is skipped without.</summary>
[Collection(GpuCollection.Name)]
public sealed class OffloadSpec
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

    /// <summary>Levels, recomputation, precision, wide residual stream, optimiser.</summary>
    public static TheoryData<OffloadLevel, Recomputation, Precision, bool, OptimizerKind> Cases => new()
    {
        { OffloadLevel.None, Recomputation.Attention, Precision.BFloat16, true, OptimizerKind.AdamW },
        { OffloadLevel.None, Recomputation.Layer, Precision.BFloat16, true, OptimizerKind.AdamW },
        { OffloadLevel.None, Recomputation.Layer, Precision.BFloat16, false, OptimizerKind.AdamW },
        { OffloadLevel.None, Recomputation.Layer, Precision.Float8, false, OptimizerKind.AdamW },
        { OffloadLevel.None, Recomputation.Host, Precision.BFloat16, true, OptimizerKind.AdamW },
        { OffloadLevel.None, Recomputation.Host, Precision.BFloat16, false, OptimizerKind.AdamW8Bit },
        { OffloadLevel.None, Recomputation.Host, Precision.Float8, false, OptimizerKind.AdamW },
        { OffloadLevel.Optimizer, Recomputation.Host, Precision.Float16, true, OptimizerKind.AdamW },
        { OffloadLevel.Parameters, Recomputation.Host, Precision.BFloat16, true, OptimizerKind.AdamW8Bit },
        { OffloadLevel.Optimizer, Recomputation.None, Precision.BFloat16, true, OptimizerKind.AdamW },
        { OffloadLevel.Optimizer, Recomputation.None, Precision.BFloat16, true, OptimizerKind.AdamW8Bit },
        { OffloadLevel.Optimizer, Recomputation.Layer, Precision.Float16, true, OptimizerKind.AdamW },
        { OffloadLevel.Optimizer, Recomputation.None, Precision.Float8, true, OptimizerKind.AdamW8Bit },
        { OffloadLevel.Parameters, Recomputation.None, Precision.BFloat16, true, OptimizerKind.AdamW },
        { OffloadLevel.Parameters, Recomputation.Layer, Precision.BFloat16, true, OptimizerKind.AdamW8Bit },
        { OffloadLevel.Parameters, Recomputation.Attention, Precision.BFloat16, false, OptimizerKind.AdamW },
        { OffloadLevel.Parameters, Recomputation.Layer, Precision.Float16, true, OptimizerKind.AdamW8Bit },
    };

    [Theory, MemberData(nameof(Cases))]
    public void Twenty_steps_are_those_of_the_plain_engine(OffloadLevel offload, Recomputation recompute, Precision precision, bool wide, OptimizerKind kind)
    {
        Gpu.Require(precision);
        foreach (var tied in new[] { false, true })
        {
            var config = Config with { TieWordEmbeddings = tied };
            using var plain = Engine(config, kind, precision, wide);
            using var other = Engine(config, kind, precision, wide, offload, recompute);
            double difference = 0;
            for (var step = 0; step < 20; step++)
            {
                var (expected, actual) = (Step(plain, step), Step(other, step));
                Assert.False(actual.Skipped != expected.Skipped);
                difference = Math.Max(difference, Math.Abs(actual.Loss - expected.Loss));
                // Streamed layers sum the norm's squares in another order, and what is clipped differs by its last bits.
                Assert.Equal(expected.GradientNorm, actual.GradientNorm, offload == OffloadLevel.Parameters ? 2e-2 * expected.GradientNorm : 0);
            }
            Gpu.Tell($"{offload}, {recompute}, {precision}, {kind}, tied {tied}: losses differ by {difference:g3} at most");
            if (offload == OffloadLevel.Parameters)
            {
                Assert.True(difference < 5e-3, $"losses differ by {difference:g3}");
                continue;
            }
            Assert.Equal(0, difference);
            foreach (var state in new[] { StateKind.Weight, StateKind.FirstMoment, StateKind.SecondMoment })
                Assert.Equal(EngineState.Read(plain, state), EngineState.Read(other, state));
        }
    }

    [Theory]
    [InlineData(OffloadLevel.Optimizer, OptimizerKind.AdamW, Precision.BFloat16)]
    [InlineData(OffloadLevel.Optimizer, OptimizerKind.AdamW8Bit, Precision.Float16)]
    [InlineData(OffloadLevel.Parameters, OptimizerKind.AdamW8Bit, Precision.BFloat16)]
    [InlineData(OffloadLevel.Parameters, OptimizerKind.AdamW, Precision.Float16)]
    public void A_run_that_was_saved_and_restored_goes_on_to_the_bit(OffloadLevel offload, OptimizerKind kind, Precision precision)
    {
        Gpu.Require(precision);
        using var whole = Engine(Config, kind, precision, wide: true, offload);
        using var resumed = Engine(Config, kind, precision, wide: true, offload);
        for (var step = 0; step < 5; step++) Step(whole, step);
        Step(resumed, 50); // something else, which is overwritten
        var folder = Directory.CreateTempSubdirectory("offload").FullName;
        try
        {
            var store = CheckpointStore.Open(folder, Config);
            var state = new TrainingState { Step = 5, TokensSeen = 0, Cursor = System.Text.Json.JsonSerializer.SerializeToElement(0), Losses = [], Seed = 1 };
            Checkpoint.Open(store.Write(EngineSnapshot.Take(whole), state, null, givenUp: TestContext.Current.CancellationToken)).RestoreInto(resumed);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        for (var step = 5; step < 12; step++) Assert.Equal(Step(whole, step), Step(resumed, step));
        Assert.Equal(EngineState.Read(whole, StateKind.Weight), EngineState.Read(resumed, StateKind.Weight));
        Assert.Equal(EngineState.Read(whole, StateKind.SecondMoment), EngineState.Read(resumed, StateKind.SecondMoment));
    }

    [Theory, InlineData(OffloadLevel.Optimizer), InlineData(OffloadLevel.Parameters)]
    public void Documents_and_evaluations_between_micro_batches_are_those_of_the_plain_engine(OffloadLevel offload)
    {
        Gpu.Require();
        // One engine after the other: the graphs of one go on using libtorch's memory, which another's recording may take.
        List<double> expected, actual;
        using (var plain = Engine(Config, OptimizerKind.AdamW, Precision.BFloat16, wide: true)) expected = Results(plain);
        using (var other = Engine(Config, OptimizerKind.AdamW, Precision.BFloat16, wide: true, offload, Recomputation.Layer)) actual = Results(other);
        for (var i = 0; i < expected.Count; i++) Assert.Equal(expected[i], actual[i], offload == OffloadLevel.Parameters ? 2e-3 : 0);

        static List<double> Results(FusedEngine engine)
        {
            var results = new List<double>();
            for (var step = 0; step < 6; step++)
            {
                engine.Accumulate(Text(step), Rows, 2);
                results.Add(engine.Evaluate(Text(100), Rows));
                var documents = step < 3 ? 4 : 16;
                var starts = Enumerable.Range(0, documents).Select(i => i * Rows * Tokens / documents).ToArray();
                engine.Accumulate(new MicroBatch(Text(step + 1), Rows) { DocumentStarts = starts }, 2);
                results.Add(engine.Update(1e-3).Loss);
            }
            return results;
        }
    }

    private static FusedEngine Engine(MistralConfig config, OptimizerKind kind, Precision precision, bool wide, OffloadLevel offload = OffloadLevel.None, Recomputation recompute = Recomputation.None) =>
        Gpu.Fused(config, new OptimizerOptions { Kind = kind, Beta2 = 0.99 }, new RandomWeights(config, 1), Rows, Tokens, precision, wide, deterministic: true, offload, recompute);

    private static StepResult Step(ITrainingEngine engine, int step)
    {
        engine.Accumulate(Text(2 * step), Rows, 2);
        engine.Accumulate(Text(2 * step + 1), Rows, 2);
        return engine.Update(1e-3);
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
