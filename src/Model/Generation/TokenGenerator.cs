using Streaming.Model.Engines;
using Streaming.Model.Parameters;
using Streaming.Model.Reference;
using static TorchSharp.torch;

namespace Streaming.Model.Generation;

/// <summary>How the next token is drawn.</summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits before the softmax; 0 always takes the most probable token.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Most probable tokens among which one is drawn; 0 draws among all.</summary>
    public int TopK { get; init; } = 40;

    public int Seed { get; init; }

    /// <summary>Ends the text, itself included; null never does.</summary>
    public int? StopToken { get; init; }
}

/// <summary>Continues token sequences with the reference model, computing the whole text again for each token.</summary>
public static class TokenGenerator
{
    /// <summary>Continues a prompt with an engine's present weights. Call it on the engine's thread.</summary>
    /// <param name="engine">The engine; one that is no reference engine has its weights copied into a model on the CPU.</param>
    /// <param name="prompt">Token ids; empty begins with the model's BOS token.</param>
    /// <param name="count">Tokens to add at most.</param>
    /// <param name="options">How tokens are drawn.</param>
    /// <returns>The added tokens.</returns>
    public static IReadOnlyList<int> Generate(ITrainingEngine engine, ReadOnlySpan<int> prompt, int count, SamplingOptions options)
    {
        if (engine is ReferenceEngine reference)
            return Generate(reference.Network, prompt, count, options);
        using var scope = NewDisposeScope();
        using var model = new MistralForCausalLM(engine.Model, ScalarType.Float32, CPU);
        model.Load(new EngineWeights(engine));
        return Generate(model, prompt, count, options);
    }

    /// <summary>Continues a prompt; texts longer than the model's positions lose their beginning.</summary>
    public static IReadOnlyList<int> Generate(MistralForCausalLM model, ReadOnlySpan<int> prompt, int count, SamplingOptions options)
    {
        var text = new List<int>();
        text.AddRange(prompt);
        if (text.Count == 0)
            text.Add(model.Config.BosTokenId ?? throw new ModelException("a text cannot begin from an empty prompt: the model's config.json has no bos_token_id"));
        if (text.FindIndex(id => (uint)id >= (uint)model.Config.VocabularySize) is var unknown and >= 0)
            throw new ModelException($"token {text[unknown]} does not fit the model, whose vocabulary has {model.Config.VocabularySize}: take the tokenizer that the model was made for");

        var added = new List<int>();
        var sampler = new TokenSampler(model.Config.VocabularySize, options);
        var logits = new float[model.Config.VocabularySize];
        using var gradientOff = no_grad();
        while (added.Count < count)
        {
            using var temporaries = NewDisposeScope();
            var window = text[Math.Max(0, text.Count - model.Config.MaxPositions)..];
            var next_BV = model.NextLogits(HostTensors.FromTokens([.. window], rows: 1, model.Weights[0].Tensor.device));
            HostTensors.Read(next_BV, logits);
            var token = sampler.Next(logits);
            text.Add(token);
            added.Add(token);
            if (token == options.StopToken)
                break;
        }
        GC.KeepAlive(model);
        return added;
    }

    private sealed class EngineWeights(ITrainingEngine engine) : IWeightSource
    {
        private readonly Dictionary<string, IParameterState> _byName = engine.Parameters.ToDictionary(parameter => parameter.Name);

        public void Read(ModelParameter parameter, Span<float> destination) => _byName[parameter.Name].Read(StateKind.Weight, destination);
    }
}
