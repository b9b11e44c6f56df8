using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Engines;

/// <summary>Optimisers and precisions of the reference engine.</summary>
public sealed class OptimizerKindSpec
{
    [Theory]
    [InlineData(OptimizerKind.AdamW8Bit, Precision.Float32)]
    [InlineData(OptimizerKind.Muon, Precision.Float32)]
    [InlineData(OptimizerKind.AdamW, Precision.Float16)]
    public void Training_follows_adamw_in_float32(OptimizerKind kind, Precision precision)
    {
        using var plain = Engine(OptimizerKind.AdamW, Precision.Float32);
        using var other = Engine(kind, precision);
        var tokens = TinyModels.Tokens(TinyModels.Config, rows: 4, columns: 16, seed: 3);
        var (first, last) = ((0f, 0f), (0f, 0f));
        for (var step = 0; step < 15; step++)
        {
            foreach (var engine in new[] { plain, other }) engine.Accumulate(tokens, 4, microBatches: 1);
            last = (plain.Update(3e-3).Loss, other.Update(3e-3).Loss);
            if (step == 0) first = last;
        }
        // The losses of a first step differ by rounding alone. Later ones show that updates are as large: Muon's have AdamW's size, not its
        // direction; moments of 8 bits and fp16 only add noise.
        Assert.Equal(first.Item1, first.Item2, 2e-2);
        Assert.Equal(last.Item1, last.Item2, kind == OptimizerKind.Muon ? 0.35 : 0.05);
        Assert.True(last.Item2 < first.Item2 - 0.5, $"{first} {last}");
    }

    [Fact]
    public void An_overflow_skips_the_step_and_halves_the_scale_until_gradients_fit()
    {
        using var engine = Engine(OptimizerKind.AdamW, Precision.Float16);
        Assert.Equal(LossScaling.Initial, engine.LossScale);
        engine.LossScale = new LossScaling(MathF.ScaleB(1, 40), 5);
        var tokens = TinyModels.Tokens(TinyModels.Config, rows: 4, columns: 16, seed: 3);
        var before = Weights(engine);
        var skipped = 0;
        for (; skipped < 40; skipped++)
        {
            engine.Accumulate(tokens, 4, microBatches: 1);
            var result = engine.Update(1e-3);
            Assert.True(float.IsFinite(result.Loss));
            if (!result.Skipped) break;
            Assert.Equal(new LossScaling(MathF.ScaleB(1, 39 - skipped), 0), engine.LossScale);
            Assert.Equal(0, engine.Step);
            Assert.Equal(before, Weights(engine));
        }
        Assert.InRange(skipped, 5, 39);
        Assert.Equal(1, engine.Step);
        Assert.NotEqual(before, Weights(engine));
        Assert.Equal(1, engine.LossScale!.Value.GoodSteps);
    }

    [Fact]
    public void An_engine_without_a_scale_takes_none()
    {
        using var engine = Engine(OptimizerKind.AdamW, Precision.BFloat16);
        engine.LossScale = LossScaling.Initial;
        Assert.Null(engine.LossScale);
    }

    [Fact]
    public void Moments_of_8_bits_are_what_their_codes_stand_for()
    {
        using var engine = Engine(OptimizerKind.AdamW8Bit, Precision.Float32);
        engine.Accumulate(TinyModels.Tokens(TinyModels.Config, rows: 4, columns: 16, seed: 3), 4, microBatches: 1);
        engine.Update(1e-3);
        foreach (var parameter in engine.Parameters)
        {
            var values = new float[parameter.Shape.Aggregate(1, (product, size) => product * (int)size)];
            parameter.Read(StateKind.FirstMoment, values);
            var rounded = (float[])values.Clone();
            Streaming.Model.Optimizers.BlockQuantization.RoundAtRandom(rounded, isFirst: true, step: 9); // which leaves alone what was rounded
            if (parameter.Name.Contains("proj", StringComparison.Ordinal) || parameter.Name.StartsWith("lm_head", StringComparison.Ordinal)) Assert.Equal(rounded, values);
            else Assert.NotEqual(rounded, values);
        }
    }

    private static ReferenceEngine Engine(OptimizerKind kind, Precision precision) =>
        new(TinyModels.Config, new OptimizerOptions { Kind = kind }, Devices.Parse("cpu"), precision, new RandomWeights(TinyModels.Config, 1));

    private static float[] Weights(ReferenceEngine engine) => [.. engine.Parameters.SelectMany(parameter =>
    {
        var values = new float[parameter.Shape.Aggregate(1, (product, size) => product * (int)size)];
        parameter.Read(StateKind.Weight, values);
        return values;
    })];
}
