using Streaming.Model.Engines;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Reference;
using Streaming.Model.Safetensors;
using Streaming.Tests;
using static TorchSharp.torch;

namespace Streaming.Model.Tests.Reference;

/// <summary>
/// A folder as Transformers writes it, and what it computes with the model there: <c>benchmarks/transformers_folders.py</c> makes
/// both. Further folders are named by the environment variable <c>STREAMING_TRANSFORMERS_REFERENCES</c>, parted by colons.
/// </summary>
public sealed class TransformersReferenceSpec
{
    // Both sides compute in float32 and sum in different orders, over up to four layers.
    private const double LogitsTolerance = 5e-6, GradientTolerance = 3e-5, LossTolerance = 3e-6;

    public static TheoryData<string> Folders { get; } =
    [
        Path.Combine(ReferenceData.RepositoryRoot, "tests", "Model.Tests", "Reference", "Data", "mixtral-tiny"),
        .. (Environment.GetEnvironmentVariable("STREAMING_TRANSFORMERS_REFERENCES") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries),
    ];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Logits_of_the_reference_model_and_of_the_decoder_equal_those_of_Transformers(string folder)
    {
        using var reference = new Folder(folder);
        var expected = reference.Expected.ReadFloats("logits");
        using (var model = reference.LoadModel())
        {
            using var scope = NewDisposeScope();
            using var gradientOff = no_grad();
            var logits = new float[expected.Length];
            HostTensors.Read(model.forward(HostTensors.FromTokens(reference.InputIds, reference.Rows, CPU)), logits);
            Assert.InRange(Closeness.RelativeError(logits, expected), 0, LogitsTolerance);
        }
        using var decoder = HostDecoder.Open(folder, reference.Rows, reference.Length, threads: 2);
        var decoded = new float[expected.Length];
        decoder.Forward([.. Enumerable.Range(0, reference.Rows).Select(row => new DecoderPart(row, reference.Length))], reference.InputIds, LogitRows.All, decoded);
        Assert.InRange(Closeness.RelativeError(decoded, expected), 0, LogitsTolerance);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void The_loss_and_its_gradients_equal_those_of_Transformers_with_and_without_balancing(string folder)
    {
        using var reference = new Folder(folder);
        foreach (var prefix in new[] { "", "balanced_" }.Where(prefix => reference.Expected.Find(prefix + "loss") is not null))
        {
            using var model = reference.LoadModel(balances: prefix.Length > 0);
            using var scope = NewDisposeScope();
            var loss = model.Loss(new MicroBatch(reference.InputIds, reference.Rows), CPU, trains: true)!;
            loss.backward();
            var expected = reference.Expected.ReadFloats(prefix + "loss")[0];
            Assert.InRange(Math.Abs(HostTensors.Scalar(loss) - expected), 0, LossTolerance * expected);
            var compared = 0;
            foreach (var (parameter, tensor) in model.Weights)
            {
                if (reference.Expected.Find($"{prefix}grad.{parameter.Name}") is null)
                    continue;
                var gradient = new float[parameter.Count];
                HostTensors.Read(tensor.grad!, gradient);
                var error = Closeness.RelativeError(gradient, reference.Expected.ReadFloats($"{prefix}grad.{parameter.Name}"));
                Assert.True(error < GradientTolerance, $"{prefix}{parameter.Name}: relative error {error}");
                compared++;
            }
            Assert.Equal(reference.Expected.Tensors.Count(tensor => tensor.Name.StartsWith(prefix + "grad.", StringComparison.Ordinal)), compared);
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Greedy_text_equals_that_of_Transformers_token_by_token(string folder)
    {
        using var reference = new Folder(folder);
        int[] prompt = [.. reference.Expected.ReadIntegers("prompt").Select(id => (int)id)], whole = [.. reference.Expected.ReadIntegers("greedy").Select(id => (int)id)];
        using var decoder = HostDecoder.Open(folder, 1, whole.Length, threads: 1);
        Assert.Equal(whole[prompt.Length..], TokenGenerator.Generate(decoder, prompt, new GenerationOptions { MaxNewTokens = whole.Length - prompt.Length }, TestContext.Current.CancellationToken));
    }

    private sealed class Folder : IDisposable
    {
        private readonly SafetensorsWeights _weights;
        private readonly MistralConfig _config;

        public Folder(string path)
        {
            LibtorchRuntime.Load();
            _config = MistralConfig.Load(path);
            _weights = SafetensorsWeights.Open(path);
            Expected = SafetensorsFile.Open(Path.Combine(path, "expected.safetensors"));
            InputIds = [.. Expected.ReadIntegers("input_ids").Select(id => (int)id)];
            (Rows, Length) = ((int)Expected["input_ids"].Shape[0], (int)Expected["input_ids"].Shape[1]);
        }

        public SafetensorsFile Expected { get; }
        public int[] InputIds { get; }
        public int Rows { get; }
        public int Length { get; }

        public MistralForCausalLM LoadModel(bool balances = false)
        {
            var model = new MistralForCausalLM(_config with { Experts = _config.Experts is { } experts ? experts with { Balances = balances } : null }, ScalarType.Float32, CPU);
            model.Load(new CheckpointWeights(_config, _weights));
            return model;
        }

        public void Dispose()
        {
            Expected.Dispose();
            _weights.Dispose();
        }
    }
}
