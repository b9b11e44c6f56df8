using System.Diagnostics;
using Streaming.Model.Generation;

namespace Streaming.Model.Measurement;

/// <summary>What a decoder does on this machine.</summary>
/// <param name="PromptTokensPerSecond">Reading a prompt.</param>
/// <param name="FirstTokenSeconds">From a prompt to its first token.</param>
/// <param name="Steps">Tokens a second of all texts together, by the number of texts: greedy.</param>
/// <param name="Drawn">Likewise, drawn in the recipe's way.</param>
/// <param name="DrawnOfAll">Likewise, drawn among all tokens, as the OpenAI API does where nothing is said.</param>
/// <param name="BeamTokensPerSecond">Three beams, drawn, without repeated bigrams: tokens a second of the text that results.</param>
public sealed record GenerationMeasurement(
    double PromptTokensPerSecond, double FirstTokenSeconds, IReadOnlyList<(int Texts, double TokensPerSecond)> Steps,
    IReadOnlyList<(int Texts, double TokensPerSecond)> Drawn, IReadOnlyList<(int Texts, double TokensPerSecond)> DrawnOfAll, double? BeamTokensPerSecond);

/// <summary>Times prompts, greedy and drawn texts, and beams, with the recipe's settings.</summary>
public static class GenerationBenchmark
{
    private const int ShortPrompt = 8;

    private static readonly GenerationOptions _greedy = new(), _drawnOfAll = new() { Sample = true };

    private static readonly GenerationOptions _recipe = new() { Sample = true, TopK = 50, TopP = 0.95, Temperature = 0.9 };

    /// <param name="decoder">Has slots for the most texts.</param>
    /// <param name="promptLength">Tokens of the prompt that is timed.</param>
    /// <param name="tokens">Tokens that are added to each text.</param>
    /// <param name="texts">Numbers of texts at once; those beyond the slots are left out.</param>
    public static GenerationMeasurement Run(IDecoder decoder, int promptLength, int tokens, IReadOnlyList<int> texts)
    {
        foreach (var options in new[] { _greedy, _recipe, _drawnOfAll })
            Generate(decoder, options, 1, ShortPrompt, 2); // warm
        var first = Generate(decoder, _greedy, 1, promptLength, 1);
        IReadOnlyList<(int, double)> Steps(GenerationOptions options) =>
            [.. texts.Where(count => count <= decoder.Slots).Select(count => (count, Generate(decoder, options, count, ShortPrompt, tokens).TokensPerSecond))];
        return new GenerationMeasurement(
            promptLength / first.First, first.First, Steps(_greedy), Steps(_recipe), Steps(_drawnOfAll), decoder.Slots >= 3 ? Beams(decoder, tokens) : null);
    }

    private static (double First, double TokensPerSecond) Generate(IDecoder decoder, GenerationOptions options, int texts, int promptLength, int tokens)
    {
        var batch = new DecodingBatch(decoder);
        for (var i = 0; i < texts; i++)
            batch.Add(new Silent(Prompt(decoder, promptLength, seed: i), options with { MaxNewTokens = tokens, Seed = i }));
        var began = Stopwatch.GetTimestamp();
        while (batch.Waiting > 0)
            batch.Step();
        var first = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var (joined, generated) = (Stopwatch.GetTimestamp(), batch.TokensGenerated);
        batch.RunToEnd();
        return (first, (batch.TokensGenerated - generated) / Stopwatch.GetElapsedTime(joined).TotalSeconds);
    }

    private static double Beams(IDecoder decoder, int tokens)
    {
        var options = _recipe with { MaxNewTokens = tokens, Beams = 3, NoRepeatNgramSize = 2 };
        var prompt = Prompt(decoder, ShortPrompt, seed: 0);
        new BeamSearch(decoder, options with { MaxNewTokens = 2 }).Run(prompt); // warm
        var began = Stopwatch.GetTimestamp();
        return new BeamSearch(decoder, options).Run(prompt).Length / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static int[] Prompt(IDecoder decoder, int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(decoder.Model.VocabularySize))];
    }

    private sealed class Silent(int[] prompt, GenerationOptions options) : TextRequest(prompt, options)
    {
        public override bool OnToken(int token) => true;
    }
}
