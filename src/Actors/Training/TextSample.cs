using System.Text;
using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Streams.Instructions;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Actors;

/// <summary>The short text that shows at the end of a run what the model has learned.</summary>
internal static class TextSample
{
    /// <returns>The prompt with its continuation.</returns>
    public static string Generate(RunOptions options, ITrainingEngine engine) => Generate(
        options, engine, new(options.Evaluation.SamplePrompt, options.Evaluation.SampleTokens, new SamplingOptions { Seed = options.Training.Seed }));

    /// <inheritdoc cref="Generate(RunOptions, ITrainingEngine)"/>
    public static string Generate(RunOptions options, ITrainingEngine engine, TrainerProtocol.Sample wanted)
    {
        var tokenizer = TextTokenizer.Load(options.Data.Tokenizer);
        var prompt = new TokenBuffer();
        // A model that is tuned on instructions is asked as it will be.
        if (options.Data.Instructions is { } instructions)
            new PromptEncoder(tokenizer, instructions.Template).Encode(wanted.Prompt, "", prompt);
        else
            tokenizer.CreateEncoder().Encode(wanted.Prompt, prompt);
        var context = Math.Min(engine.Model.MaxPositions, prompt.Count + wanted.MaxNewTokens + 1);
        using var weights = ModelWeights.Of(engine);
        using var model = HostDecoder.Copy(engine.Model, weights, slots: 1, context);
        var kept = prompt.Span[Math.Max(0, prompt.Count - context + 1)..]; // a prompt that leaves no room loses its beginning
        var added = TokenGenerator.Generate(model, kept, wanted.Sampling.ToGeneration(wanted.MaxNewTokens));

        var decoder = tokenizer.CreateDecoder();
        foreach (var id in prompt.Span)
            decoder.Append(id); // the prompt is shown as it was written; the decoder needs what came before
        var text = new StringBuilder(options.Data.Instructions is { } asked ? asked.Template.Format(wanted.Prompt, "") : wanted.Prompt);
        foreach (var id in added.Where(id => id < tokenizer.VocabularySize)) // a model may have more ids than its tokenizer
            text.Append(decoder.Append(id));
        return text.Append(decoder.Finish()).ToString();
    }
}
