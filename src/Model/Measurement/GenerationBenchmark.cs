using System.Diagnostics;
using Streaming.Model.Generation;

namespace Streaming.Model.Measurement;

/// <summary>What a decoder does on this machine.</summary>
/// <param name="PromptTokensPerSecond">Reading a prompt.</param>
/// <param name="FirstTokenSeconds">From a prompt to its first token.</param>
/// <param name="Steps">Tokens a second of all texts together, by the number of texts.</param>
/// <param name="BeamTokensPerSecond">Three beams, drawn, without repeated bigrams: tokens a second of the text that results.</param>
public sealed record GenerationMeasurement(
    double PromptTokensPerSecond, double FirstTokenSeconds, IReadOnlyList<(int Texts, double TokensPerSecond)> Steps, double? BeamTokensPerSecond);

/// <summary>Times prompts, greedy texts and beams, with the recipe's settings.</summary>
public static class GenerationBenchmark
{
    private const int ShortPrompt = 8;

    /// <param name="decoder">Has slots for the most texts.</param>
    /// <param name="promptLength">Tokens of the prompt that is timed.</param>
    /// <param name="tokens">Tokens that are added to each text.</param>
    /// <param name="texts">Numbers of texts at once; those beyond the slots are left out.</param>
    public static GenerationMeasurement Run(IDecoder decoder, int promptLength, int tokens, IReadOnlyList<int> texts)
    {
        Generate(decoder, 1, ShortPrompt, 2); // warm
        var first = Generate(decoder, 1, promptLength, 1);
        var steps = new List<(int, double)>();
        foreach (var count in texts.Where(count => count <= decoder.Slots))
            steps.Add((count, Generate(decoder, count, ShortPrompt, tokens).TokensPerSecond));
        return new GenerationMeasurement(promptLength / first.First, first.First, steps, decoder.Slots >= 3 ? Beams(decoder, tokens) : null);
    }

    private static (double First, double TokensPerSecond) Generate(IDecoder decoder, int texts, int promptLength, int tokens)
    {
        var batch = new DecodingBatch(decoder);
        for (var i = 0; i < texts; i++)
            batch.Add(new Silent(Prompt(decoder, promptLength, seed: i), new GenerationOptions { MaxNewTokens = tokens }));
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
        var options = new GenerationOptions
        {
            MaxNewTokens = tokens,
            Sample = true,
            TopK = 50,
            TopP = 0.95,
            Temperature = 0.9,
            Beams = 3,
            NoRepeatNgramSize = 2,
        };
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
