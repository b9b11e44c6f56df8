using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Reference;
using Streaming.Model.Safetensors;
using static TorchSharp.torch;

namespace Streaming.Model.Tests.Reference;

/// <summary>A mixture of experts, against the same model in float64 (<see cref="PlainMixtral"/>).</summary>
public sealed class MixtralSpec : IDisposable
{
    // float32 against float64, over two layers.
    private const double Tolerance = 2e-5;

    private static readonly MistralConfig _config = TinyModels.Config with
    {
        VocabularySize = 60,
        HiddenSize = 16,
        IntermediateSize = 20,
        HeadSize = 4,
        InitializerRange = 0.3, // so that routers decide
        Experts = new MixtureOfExperts(Count: 5, PerToken: 2, BalanceWeight: 0.2, Balances: true),
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("mixtral-").FullName;

    private readonly RandomWeights _weights = new(_config, 8);
    private readonly int[] _tokens = TinyModels.Tokens(_config, 3, 12, seed: 5);

    public MixtralSpec() => LibtorchRuntime.Load();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Logits_of_the_reference_model_and_of_the_decoder_are_those_of_the_formulas()
    {
        double[] expected = [.. Enumerable.Range(0, 3).SelectMany(row => new PlainMixtral(_config, _weights).Forward(_tokens.AsSpan(row * 12, 12)).Logits).SelectMany(row => row)];
        float[] plain = [.. expected.Select(value => (float)value)];

        Assert.InRange(Closeness.RelativeError(ReferenceLogits(_config, _weights), plain), 0, Tolerance);

        using var decoder = HostDecoder.Copy(_config, _weights, 3, 40, threads: 2);
        var logits = new float[plain.Length];
        decoder.Forward([new(0, 12), new(1, 12), new(2, 12)], _tokens, LogitRows.All, logits);
        Assert.InRange(Closeness.RelativeError(logits, plain), 0, Tolerance);
    }

    [Fact]
    public void A_text_read_token_by_token_scores_as_read_at_once()
    {
        using var decoder = HostDecoder.Copy(_config, _weights, 2, 40, threads: 2);
        var (whole, last) = (new float[12 * _config.VocabularySize], new float[_config.VocabularySize]);
        decoder.Forward([new(0, 12)], _tokens.AsSpan(0, 12), LogitRows.All, whole);
        for (var t = 0; t < 12; t++)
        {
            decoder.Forward([new(1, 1)], _tokens.AsSpan(t, 1), LogitRows.Last, last);
            Assert.InRange(Closeness.RelativeError(last, whole[(t * last.Length)..((t + 1) * last.Length)]), 0, Tolerance);
        }
    }

    [Fact]
    public void Training_adds_the_load_balancing_loss_and_evaluation_does_not()
    {
        using var model = new MistralForCausalLM(_config, ScalarType.Float32, CPU);
        model.Load(_weights);
        using var scope = NewDisposeScope();
        var (crossEntropy, balance) = new PlainMixtral(_config, _weights).Loss(_tokens, 3);
        Assert.InRange(balance, 1.9, 5); // two experts a token, evenly spread, is 2
        var batch = new MicroBatch(_tokens, 3);
        Assert.Equal(crossEntropy, HostTensors.Scalar(model.Loss(batch, CPU, trains: false)!), 1e-4);
        Assert.Equal(crossEntropy + 0.2 * balance, HostTensors.Scalar(model.Loss(batch, CPU, trains: true)!), 1e-4);

        using var without = new MistralForCausalLM(_config with { Experts = _config.Experts! with { Balances = false } }, ScalarType.Float32, CPU);
        without.Load(_weights);
        Assert.Equal(crossEntropy, HostTensors.Scalar(without.Loss(batch, CPU, trains: true)!), 1e-4);
    }

    [Fact]
    public void Gradients_are_the_slopes_of_the_loss()
    {
        using var model = new MistralForCausalLM(_config, ScalarType.Float32, CPU);
        model.Load(_weights);
        using var scope = NewDisposeScope();
        model.Loss(new MicroBatch(_tokens, 3), CPU, trains: true)!.backward();
        var plain = new PlainMixtral(_config, _weights);
        foreach (var name in new[]
        {
            "model.layers.0.block_sparse_moe.gate.weight", "model.layers.1.block_sparse_moe.gate.weight",
            "model.layers.0.block_sparse_moe.experts.3.w1.weight", "model.layers.1.block_sparse_moe.experts.0.w2.weight",
            "model.layers.1.block_sparse_moe.experts.4.w3.weight", "model.layers.0.self_attn.k_proj.weight",
        })
        {
            var tensor = model.Weights.Single(entry => entry.Parameter.Name == name).Tensor;
            var gradient = new float[tensor.numel()];
            HostTensors.Read(tensor.grad!, gradient);
            foreach (var index in new[] { 0, 7, 21 })
            {
                const double step = 1e-5; // no token changes its experts for so little, and float64 still tells the difference
                var slope = (Loss(step) - Loss(-step)) / (2 * step);
                Assert.Equal(slope, gradient[index], 2e-4 * (1 + Math.Abs(slope)));

                double Loss(double change)
                {
                    plain[name, index] += change;
                    var (crossEntropy, balance) = plain.Loss(_tokens, 3);
                    plain[name, index] -= change;
                    return crossEntropy + 0.2 * balance;
                }
            }
        }
    }

    [Theory]
    [InlineData(Precision.Float32)]
    [InlineData(Precision.BFloat16)]
    public void Training_lowers_the_loss(Precision precision)
    {
        using var engine = new ReferenceEngine(_config with { InitializerRange = 0.02 }, new OptimizerOptions(), CPU, precision, new RandomWeights(_config with { InitializerRange = 0.02 }, 1));
        var losses = new List<float>();
        for (var step = 0; step < 30; step++)
        {
            engine.Accumulate(new MicroBatch(_tokens, 3), 1);
            losses.Add(engine.Update(1e-2).Loss);
        }
        Assert.True(losses[^1] < losses[0] - 1, $"{losses[0]} then {losses[^1]}");
    }

    [Fact]
    public void All_experts_at_once_and_a_single_one_are_computed_too()
    {
        foreach (var experts in new[] { new MixtureOfExperts(3, 3, 0.1, true), new MixtureOfExperts(1, 1, 0, false), new MixtureOfExperts(4, 1, 0.1, true) })
        {
            var config = _config with { Experts = experts };
            var weights = new RandomWeights(config, 2);
            float[] plain = [.. Enumerable.Range(0, 3).SelectMany(row => new PlainMixtral(config, weights).Forward(_tokens.AsSpan(row * 12, 12)).Logits).SelectMany(row => row.Select(value => (float)value))];
            Assert.InRange(Closeness.RelativeError(ReferenceLogits(config, weights), plain), 0, Tolerance);
        }
    }

    [Fact]
    public void Its_config_is_written_as_Transformers_reads_it_and_read_back()
    {
        _config.Save(Path.Combine(_folder, "config.json"));
        var text = File.ReadAllText(Path.Combine(_folder, "config.json"));
        foreach (var part in new[] { "\"MixtralForCausalLM\"", "\"model_type\": \"mixtral\"", "\"num_local_experts\": 5", "\"num_experts_per_tok\": 2", "\"router_aux_loss_coef\": 0.2", "\"output_router_logits\": true" })
            Assert.Contains(part, text);
        Assert.Equal(_config, MistralConfig.Load(_folder));
    }

    [Fact]
    public void What_its_config_leaves_out_is_Transformers_default()
    {
        Write("""{"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 64, "num_attention_heads": 8, "intermediate_size": 96, "num_hidden_layers": 1, "vocab_size": 100}""");
        var config = MistralConfig.Load(_folder);
        Assert.Equal(new MixtureOfExperts(8, 2, 0.001, false), config.Experts);
        Assert.Equal((1e6, 1e-5, null, 131072), (config.RopeTheta, config.RmsNormEpsilon, config.SlidingWindow, config.MaxPositions));
    }

    [Theory]
    [InlineData("\"num_local_experts\": 0", "num_local_experts must be ")]
    [InlineData("\"num_experts_per_tok\": 9", "num_experts_per_tok must be ")]
    [InlineData("\"router_jitter_noise\": 0.1", "router_jitter_noise must be 0: training without noise is what this program does")]
    [InlineData("\"router_aux_loss_coef\": -1", "router_aux_loss_coef must be ")]
    [InlineData("\"model_type\": \"mistral\"", "model_type must be that of the architecture, MixtralForCausalLM, was mistral")]
    public void What_cannot_be_computed_is_refused(string member, string reason)
    {
        var type = member.Contains("model_type") ? "" : "\"model_type\": \"mixtral\", ";
        Write($$"""{"architectures": ["MixtralForCausalLM"], {{type}}{{member}}, "hidden_size": 64, "num_attention_heads": 8, "intermediate_size": 96, "num_hidden_layers": 1, "vocab_size": 100}""");
        Assert.Contains(reason, Assert.Throws<ModelException>(() => MistralConfig.Load(_folder)).Message);
    }

    [Fact]
    public void Experts_that_are_stored_fused_are_the_same_model()
    {
        var (one, other) = (Path.Combine(_folder, "parts"), Path.Combine(_folder, "fused"));
        WriteWeights(one, fused: false);
        WriteWeights(other, fused: true);
        using var parts = SafetensorsWeights.Open(one);
        using var fused = SafetensorsWeights.Open(other);
        Assert.Equal(ReferenceLogits(_config, new CheckpointWeights(_config, parts)), ReferenceLogits(_config, new CheckpointWeights(_config, fused)));
        _config.Save(Path.Combine(other, "config.json"));
        using var decoder = HostDecoder.Open(other, 3, 20, threads: 1);
        var logits = new float[36 * _config.VocabularySize];
        decoder.Forward([new(0, 12), new(1, 12), new(2, 12)], _tokens, LogitRows.All, logits);
        Assert.InRange(Closeness.RelativeError(logits, ReferenceLogits(_config, _weights)), 0, Tolerance);
    }

    [Fact]
    public void The_fused_engine_says_that_it_does_not_compute_it()
    {
        var refusal = Assert.Throws<NotSupportedException>(() => FusedShape.From(_config));
        Assert.Contains("mixture of experts (MixtralForCausalLM)", refusal.Message);
    }

    private void Write(string config) => File.WriteAllText(Path.Combine(_folder, "config.json"), config);

    private float[] ReferenceLogits(MistralConfig config, IWeightSource weights)
    {
        using var model = new MistralForCausalLM(config, ScalarType.Float32, CPU);
        model.Load(weights);
        using var scope = NewDisposeScope();
        using var gradientOff = no_grad();
        var logits = new float[36 * config.VocabularySize];
        HostTensors.Read(model.forward(HostTensors.FromTokens(_tokens, 3, CPU)), logits);
        return logits;
    }

    // As Transformers 5 holds the experts: (E, 2F, D) with w1 above w3, and (E, D, F).
    private void WriteWeights(string folder, bool fused)
    {
        Directory.CreateDirectory(folder);
        var tensors = new SortedDictionary<string, (long[] Shape, List<float> Values)>(StringComparer.Ordinal);
        foreach (var parameter in ModelParameter.Of(_config))
        {
            var values = new float[parameter.Count];
            _weights.Read(parameter, values);
            var (name, shape) = (parameter.Name, parameter.Shape.ToArray());
            if (fused && name.Contains(".experts."))
            {
                var isLast = name.Contains(".w2.");
                name = $"{name[..name.IndexOf("block_sparse_moe", StringComparison.Ordinal)]}mlp.experts.{(isLast ? "down_proj" : "gate_up_proj")}";
                shape = isLast ? [5, 16, 20] : [5, 40, 16];
            }
            else if (fused)
                name = name.Replace("block_sparse_moe.gate", "mlp.gate");
            if (!tensors.ContainsKey(name))
                tensors[name] = (shape, []);
            tensors[name].Values.AddRange(values);
        }
        using var file = File.Create(Path.Combine(folder, "model.safetensors"));
        var writer = SafetensorsWriter.Begin(file, tensors.Select(tensor => (tensor.Key, TensorType.F32, (IReadOnlyList<long>)tensor.Value.Shape)));
        foreach (var tensor in tensors.Values)
            writer.Write([.. tensor.Values]);
        writer.Complete();
    }
}
