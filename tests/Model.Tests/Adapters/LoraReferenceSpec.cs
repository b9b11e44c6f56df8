using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Tests.Gpu;

namespace Streaming.Model.Tests.Adapters;

public sealed class LoraReferenceSpec
{
    private static readonly MistralConfig Config = TinyModels.Config;
    private static readonly RandomWeights Base = new(Config, 1);
    private static readonly int[] Tokens = TinyModels.Tokens(Config, rows: 4, columns: 16, seed: 3);

    private static ReferenceEngine Plain(IWeightSource? weights = null, Precision precision = Precision.Float32) =>
        new(Config, new OptimizerOptions(), Devices.Parse("cpu"), precision, weights ?? Base);

    private static ReferenceEngine Adapted(LoraOptions? lora = null, Dictionary<string, float[]>? adapters = null, Precision precision = Precision.Float32)
    {
        var engine = new ReferenceEngine(Config, new OptimizerOptions(), Devices.Parse("cpu"), precision, Base, LowRank.Set(lora));
        foreach (var parameter in adapters is null ? [] : engine.Parameters)
            parameter.Write(StateKind.Weight, adapters![parameter.Name]);
        return engine;
    }

    [Fact]
    public void Parameters_are_named_and_shaped_as_PEFT_does()
    {
        using var engine = Adapted(new LoraOptions { Rank = 4, TargetModules = ["k_proj", "down_proj"] });
        Assert.Equal(
            [
                ("base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight", "4x32"),
                ("base_model.model.model.layers.0.self_attn.k_proj.lora_B.weight", "16x4"),
                ("base_model.model.model.layers.0.mlp.down_proj.lora_A.weight", "4x48"),
                ("base_model.model.model.layers.0.mlp.down_proj.lora_B.weight", "32x4"),
                ("base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight", "4x32"),
                ("base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight", "16x4"),
                ("base_model.model.model.layers.1.mlp.down_proj.lora_A.weight", "4x48"),
                ("base_model.model.model.layers.1.mlp.down_proj.lora_B.weight", "32x4"),
            ],
            engine.Parameters.Select(parameter => (parameter.Name, string.Join('x', parameter.Shape))));
        Assert.Equal(Plain().ParameterCount, engine.ParameterCount);
    }

    [Theory, InlineData(Precision.Float32), InlineData(Precision.BFloat16)]
    public void At_first_the_model_is_the_base_model_to_the_last_bit(Precision precision)
    {
        using var plain = Plain(precision: precision);
        using var adapted = Adapted(precision: precision);
        Assert.Equal(plain.Evaluate(Tokens, 4), adapted.Evaluate(Tokens, 4));
        plain.Accumulate(Tokens, 4, 1);
        adapted.Accumulate(Tokens, 4, 1);
        Assert.Equal(plain.Update(0).Loss, adapted.Update(0).Loss);
    }

    [Fact]
    public void A_begins_evenly_within_one_over_the_root_of_its_inputs_and_B_at_zero()
    {
        using var engine = Adapted(new LoraOptions { Rank = 64, TargetModules = ["up_proj"] });
        foreach (var parameter in engine.Parameters)
        {
            var values = EngineState.Read(parameter, StateKind.Weight);
            if (parameter.Name.Contains("lora_B", StringComparison.Ordinal))
            {
                Assert.All(values, value => Assert.Equal(0, value));
                continue;
            }
            var bound = 1 / Math.Sqrt(32);
            Assert.All(values, value => Assert.InRange(value, -bound, bound));
            // Of 2,048 even draws: mean 0 and deviation bound/√3, within four standard errors.
            Assert.Equal(0, values.Average(), 4 * bound / Math.Sqrt(3 * 2048));
            Assert.Equal(bound / Math.Sqrt(3), Math.Sqrt(values.Average(value => value * value)), 0.05 * bound);
        }
        var names = engine.Parameters.Where(parameter => parameter.Name.Contains("lora_A", StringComparison.Ordinal)).ToList();
        Assert.NotEqual(EngineState.Read(names[0], StateKind.Weight), EngineState.Read(names[1], StateKind.Weight));
    }

    [Fact]
    public void Losses_and_gradients_are_those_of_the_formula()
    {
        var lora = LowRank.Lora;
        var adapters = LowRank.Random(Config, lora);
        var matrices = AdaptedMatrix.Of(Config, lora);
        var merged = matrices.ToDictionary(matrix => matrix.Matrix.Name, matrix =>
        {
            var weight = new float[matrix.Matrix.Count];
            Base.Read(matrix.Matrix, weight);
            return LowRank.Merge(weight, matrix, lora, adapters);
        });
        using var whole = Plain(new LowRank.Arrays(merged, Base));
        using var adapted = Adapted(lora, adapters);
        foreach (var engine in new[] { whole, adapted })
        {
            engine.Accumulate(Tokens.AsSpan(0, 32), 2, 2);
            engine.Accumulate(Tokens.AsSpan(32), 2, 2);
        }

        // y = (W + s B A) x, so that with G the gradient of the merged matrix d_A = s B^T G and d_B = s G A^T.
        var gradients = EngineState.Read(whole, StateKind.Gradient);
        var actual = EngineState.Read(adapted, StateKind.Gradient);
        foreach (var matrix in matrices)
        {
            var (g, a, b) = (gradients[matrix.Matrix.Name], adapters[matrix.A.Name], adapters[matrix.B.Name]);
            int outputs = (int)matrix.Matrix.Shape[0], inputs = (int)matrix.Matrix.Shape[1];
            float[] dA = new float[a.Length], dB = new float[b.Length];
            for (var o = 0; o < outputs; o++)
                for (var i = 0; i < inputs; i++)
                    for (var k = 0; k < lora.Rank; k++)
                    {
                        dA[k * inputs + i] += (float)(lora.Scale * b[o * lora.Rank + k] * g[o * inputs + i]);
                        dB[o * lora.Rank + k] += (float)(lora.Scale * a[k * inputs + i] * g[o * inputs + i]);
                    }
            // Float32 sums of up to 64 x 48 products in another order.
            Assert.True(Closeness.RelativeError(actual[matrix.A.Name], dA) < 2e-5, matrix.A.Name);
            Assert.True(Closeness.RelativeError(actual[matrix.B.Name], dB) < 2e-5, matrix.B.Name);
        }
        Assert.Equal(whole.Update(0).Loss, adapted.Update(0).Loss, 1e-5);
    }

    [Theory, InlineData(Precision.Float32), InlineData(Precision.BFloat16)]
    public void Only_adapters_change_and_the_loss_falls(Precision precision)
    {
        using var engine = Adapted(precision: precision);
        Dictionary<string, float[]> Model() => engine.Network.Weights.ToDictionary(entry => entry.Parameter.Name, entry =>
        {
            var values = new float[entry.Parameter.Count];
            Streaming.Model.Reference.HostTensors.Read(entry.Tensor, values);
            return values;
        });
        var (model, adapters) = (Model(), EngineState.Read(engine, StateKind.Weight));
        var first = engine.Evaluate(Tokens, 4);
        for (var step = 0; step < 20; step++)
        {
            engine.Accumulate(Tokens, 4, 1);
            engine.Update(2e-2);
        }
        Assert.Equal(model, Model());
        Assert.All(EngineState.Read(engine, StateKind.Weight), entry => Assert.NotEqual(adapters[entry.Key], entry.Value));
        Assert.True(engine.Evaluate(Tokens, 4) < first - 0.3, $"{first}, then {engine.Evaluate(Tokens, 4)}");
    }

    [Fact]
    public void Dropout_changes_a_training_pass_and_no_evaluation()
    {
        var lora = LowRank.Lora with { Dropout = 0.5 };
        var adapters = LowRank.Random(Config, lora);
        using var with = Adapted(lora, adapters);
        using var without = Adapted(LowRank.Lora, adapters);
        Assert.Equal(without.Evaluate(Tokens, 4), with.Evaluate(Tokens, 4));
        with.Accumulate(Tokens, 4, 1);
        without.Accumulate(Tokens, 4, 1);
        Assert.NotEqual(without.Update(0).Loss, with.Update(0).Loss);
    }
}
