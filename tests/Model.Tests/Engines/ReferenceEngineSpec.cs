using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Engines;

public sealed class ReferenceEngineSpec
{
    private const double Rounding = 1.0 / (1 << 23);

    private static readonly OptimizerOptions ReferenceOptions = new()
    {
        Beta1 = 0.9,
        Beta2 = 0.95,
        Epsilon = 1e-8,
        WeightDecay = 0.1,
        Decay = DecayTarget.All,
        MaxGradientNorm = 1.0,
    };

    private static ReferenceEngine Load(TinyReference tiny, OptimizerOptions? options = null) =>
        new(tiny.Config, options ?? ReferenceOptions, Devices.Parse("cpu"), Precision.Float32, tiny.Weights);

    [Fact]
    public void Five_steps_equal_those_of_AdamW_in_PyTorch()
    {
        using var tiny = new TinyReference();
        using var engine = Load(tiny);
        var losses = tiny.Expected.ReadFloats("adamw_losses");
        var norms = tiny.Expected.ReadFloats("adamw_grad_norms");

        for (var step = 0; step < 5; step++)
        {
            engine.Accumulate(tiny.InputIds, tiny.Rows, microBatches: 1);
            var result = engine.Update(1e-3);
            // Measured: at most one rounding of a loss near 6, three of a norm near 2.5.
            Assert.Equal(losses[step], result.Loss, 5 * 6 * Rounding);
            Assert.Equal(norms[step], result.GradientNorm, 10 * Rounding * norms[step]);
        }

        Assert.Equal(5, engine.Step);
        foreach (var parameter in engine.Parameters)
        {
            var expected = tiny.Expected.ReadFloats("adamw5." + parameter.Name);
            var actual = new float[expected.Length];
            parameter.Read(StateKind.Weight, actual);
            // Adam divides a gradient by its own size: where that is no larger than the gradient's rounding error, even the
            // sign of a step of up to 1e-3 is open. So nearly all weights agree to some roundings (measured: all but two of
            // 127,000 within 1e-6), and a few within the length of one step.
            Assert.True(Closeness.RelativeError(actual, expected) * expected.Max(Math.Abs) < 1e-3, parameter.Name);
            var close = actual.Zip(expected).Count(pair => Math.Abs(pair.First - pair.Second) < 2e-6);
            Assert.True(close >= expected.Length - 3, $"{parameter.Name}: {expected.Length - close} of {expected.Length} weights are more than 2e-6 off");
        }
    }

    [Fact]
    public void Accumulated_micro_batches_give_the_gradient_of_the_whole_batch()
    {
        using var tiny = new TinyReference();
        using var engine = Load(tiny);
        var columns = tiny.InputIds.Length / tiny.Rows;

        for (var row = 0; row < tiny.Rows; row++)
            engine.Accumulate(tiny.InputIds.AsSpan(row * columns, columns), rows: 1, microBatches: tiny.Rows);

        foreach (var parameter in engine.Parameters)
        {
            var expected = tiny.Expected.ReadFloats("grad." + parameter.Name);
            var gradient = new float[expected.Length];
            parameter.Read(StateKind.Gradient, gradient);
            Assert.True(Closeness.RelativeError(gradient, expected) < 60 * Rounding, parameter.Name);
        }
        Assert.Equal(tiny.Expected.ReadFloats("loss")[0], engine.Update(0).Loss, 60 * Rounding);
    }

    [Fact]
    public void Evaluation_returns_the_loss_and_changes_nothing()
    {
        using var tiny = new TinyReference();
        using var engine = Load(tiny);
        var before = Weights(engine);

        var loss = engine.Evaluate(tiny.InputIds, tiny.Rows);

        Assert.Equal(tiny.Expected.ReadFloats("loss")[0], (float)loss, 60 * Rounding);
        Assert.Equal(before, Weights(engine));
        var gradient = new float[engine.Parameters[0].Shape.Aggregate(1, (product, size) => product * (int)size)];
        engine.Parameters[0].Read(StateKind.Gradient, gradient);
        Assert.All(gradient, value => Assert.Equal(0, value));
    }

    [Fact]
    public void Norms_do_not_decay_where_only_matrices_do()
    {
        using var tiny = new TinyReference();
        using var all = Load(tiny);
        using var matrices = Load(tiny, ReferenceOptions with { Decay = DecayTarget.Matrices });
        foreach (var engine in new[] { all, matrices })
        {
            engine.Accumulate(tiny.InputIds, tiny.Rows, microBatches: 1);
            engine.Update(1e-3);
        }

        foreach (var (one, other) in all.Parameters.Zip(matrices.Parameters))
        {
            float[] first = new float[one.Shape.Aggregate(1, (product, size) => product * (int)size)], second = new float[first.Length];
            one.Read(StateKind.Weight, first);
            other.Read(StateKind.Weight, second);
            if (one.Name.EndsWith("norm.weight", StringComparison.Ordinal))
                Assert.All(first.Zip(second), pair => Assert.Equal(1e-4 * pair.Second, pair.Second - pair.First, 1e-6)); // learning rate x decay
            else
                Assert.Equal(first, second);
        }
    }

    [Fact]
    public void A_step_whose_gradient_is_not_finite_is_skipped()
    {
        using var tiny = new TinyReference();
        using var engine = Load(tiny);
        var norm = engine.Parameters.Single(parameter => parameter.Name == "model.norm.weight");
        var good = new float[tiny.Config.HiddenSize];
        norm.Read(StateKind.Weight, good);
        norm.Write(StateKind.Weight, [.. Enumerable.Repeat(float.NaN, good.Length)]);
        engine.Accumulate(tiny.InputIds, tiny.Rows, microBatches: 1);

        var result = engine.Update(1e-3);

        Assert.True(result.Skipped);
        Assert.True(float.IsNaN(result.Loss));
        Assert.Equal(0, engine.Step);
        norm.Write(StateKind.Weight, good);
        engine.Accumulate(tiny.InputIds, tiny.Rows, microBatches: 1);
        Assert.False(engine.Update(1e-3).Skipped);
    }

    [Fact]
    public void A_token_outside_the_vocabulary_is_refused_before_it_reaches_the_device()
    {
        using var tiny = new TinyReference();
        using var engine = Load(tiny);

        var exception = Assert.Throws<ModelException>(() => engine.Accumulate([1, 2, 320, 3], rows: 1, microBatches: 1));

        Assert.Equal("token 320 does not fit the model, whose vocabulary has 320: take the tokenizer that the model was made for", exception.Message);
    }

    [Fact]
    public void Tied_embeddings_and_a_sliding_window_train()
    {
        var config = TinyModels.Config with { TieWordEmbeddings = true, SlidingWindow = 5 };
        using var engine = new ReferenceEngine(config, ReferenceOptions, Devices.Parse("cpu"), Precision.Float32, new RandomWeights(config, 1));
        var tokens = TinyModels.Tokens(config, rows: 2, columns: 16, seed: 3);
        var first = engine.Evaluate(tokens, 2);

        for (var step = 0; step < 20; step++)
        {
            engine.Accumulate(tokens, 2, microBatches: 1);
            engine.Update(3e-3);
        }

        Assert.DoesNotContain(engine.Parameters, parameter => parameter.Name == "lm_head.weight");
        Assert.Equal(Math.Log(config.VocabularySize), first, 0.3); // a new model knows nothing
        Assert.True(engine.Evaluate(tokens, 2) < first - 1);
    }

    [Fact]
    public void Bf16_with_master_weights_follows_float32()
    {
        var config = TinyModels.Config;
        var tokens = TinyModels.Tokens(config, rows: 4, columns: 16, seed: 3);
        using var wide = new ReferenceEngine(config, ReferenceOptions, Devices.Parse("cpu"), Precision.Float32, new RandomWeights(config, 1));
        using var narrow = new ReferenceEngine(config, ReferenceOptions, Devices.Parse("cpu"), Precision.BFloat16, new RandomWeights(config, 1));
        for (var step = 0; step < 10; step++)
        {
            foreach (var engine in new[] { wide, narrow })
            {
                engine.Accumulate(tokens, 4, microBatches: 2);
                engine.Accumulate(tokens, 4, microBatches: 2);
            }
            // bf16 has 8 significant bits: 0.4 % a rounding, of a loss near 5.
            Assert.Equal(wide.Update(1e-3).Loss, narrow.Update(1e-3).Loss, 0.02);
        }
        // Ten steps of 1e-3 move weights near 0.02 by amounts that bf16 alone would round away; the master weights keep them.
        Assert.Contains(Weights(narrow), weight => BitConverter.SingleToUInt32Bits(weight) << 16 != 0);
    }

    private static float[] Weights(ReferenceEngine engine) => [.. engine.Parameters.SelectMany(parameter =>
    {
        var values = new float[parameter.Shape.Aggregate(1, (product, size) => product * (int)size)];
        parameter.Read(StateKind.Weight, values);
        return values;
    })];
}
