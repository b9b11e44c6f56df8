using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Generation;

public sealed class TokenGeneratorSpec
{
    private static readonly int[] Prompt = [5, 6, 7];

    [Fact]
    public void Greedy_decoding_equals_that_of_Transformers()
    {
        using var tiny = new TinyReference();
        AssertContinues(tiny, "greedy", new GenerationOptions { EndTokens = [tiny.Config.EosTokenId!.Value] });
    }

    [Fact]
    public void Three_beams_without_repeated_bigrams_equal_those_of_Transformers()
    {
        using var tiny = new TinyReference();
        AssertContinues(tiny, "beam3_norepeat2", new GenerationOptions { EndTokens = [tiny.Config.EosTokenId!.Value], Beams = 3, NoRepeatNgramSize = 2 });
    }

    [Fact]
    public void Beams_as_wide_as_the_vocabulary_find_the_most_probable_text()
    {
        var config = TinyModels.Config with { VocabularySize = 12, PadTokenId = null };
        using var decoder = HostDecoder.Copy(config, new RandomWeights(config with { InitializerRange = 0.5 }, 1), 12, 16, threads: 1);
        var (best, bestScore) = (Array.Empty<int>(), double.NegativeInfinity);
        for (var i = 0; i < 12 * 12; i++)
        {
            int[] added = [i / 12, i % 12];
            var score = LogProbability(decoder, Prompt, added);
            if (score > bestScore)
                (best, bestScore) = (added, score);
        }

        var found = Generate(decoder, Prompt, new GenerationOptions { Beams = 12, MaxNewTokens = 2 });

        Assert.Equal(best, found);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Sampling_depends_on_the_seed_alone(int beams)
    {
        using var decoder = Decoder();
        IReadOnlyList<int> Sample(long seed) =>
            Generate(decoder, Prompt, new GenerationOptions { Sample = true, TopK = 40, Seed = seed, MaxNewTokens = 30, Beams = beams, NoRepeatNgramSize = 2 });

        var first = Sample(1);

        Assert.Equal(30, first.Count);
        Assert.Equal(first, Sample(1));
        Assert.NotEqual(first, Sample(2));
    }

    [Fact]
    public void A_text_ends_with_an_end_token_and_where_the_context_is_full()
    {
        using var decoder = Decoder(contextLength: 20);
        var options = new GenerationOptions { Sample = true, Seed = 1 };

        var text = Generate(decoder, [], options); // begins with the begin token

        Assert.Equal(19, text.Count);
        Assert.Equal(text.Take(text.ToList().IndexOf(text[7]) + 1), Generate(decoder, [], options with { EndTokens = [text[7]] }));
        Assert.Equal(19, Generate(decoder, [], options with { Beams = 3 }).Count);
    }

    [Fact]
    public void What_cannot_be_generated_is_refused_by_name()
    {
        using var decoder = Decoder(contextLength: 20);
        void Refused(string parameter, int[] prompt, GenerationOptions options) =>
            Assert.Equal(parameter, Assert.Throws<GenerationException>(() => Generate(decoder, prompt, options)).Parameter);

        Refused("prompt", new int[20], new());
        Refused("prompt", [128], new());
        Refused("prompt", [-1], new());
        Refused("temperature", Prompt, new() { Temperature = -1 });
        Refused("temperature", Prompt, new() { Temperature = double.NaN });
        Refused("top_p", Prompt, new() { TopP = 0 });
        Refused("top_k", Prompt, new() { TopK = -1 });
        Refused("num_beams", Prompt, new() { Beams = 0 });
        Refused("max_new_tokens", Prompt, new() { MaxNewTokens = 0 });
        Refused("logit_bias", Prompt, new() { LogitBias = new Dictionary<int, float> { [128] = 1 } });
    }

    private static IReadOnlyList<int> Generate(IDecoder decoder, int[] prompt, GenerationOptions options) =>
        TokenGenerator.Generate(decoder, prompt, options, TestContext.Current.CancellationToken);

    private static void AssertContinues(TinyReference tiny, string expectedName, GenerationOptions options)
    {
        int[] prompt = [.. tiny.Expected.ReadIntegers("prompt").Select(id => (int)id)];
        int[] expected = [.. tiny.Expected.ReadIntegers(expectedName).Select(id => (int)id)];
        using var decoder = HostDecoder.Open(tiny.Folder, 3, 128, threads: 2);

        var added = Generate(decoder, prompt, options with { MaxNewTokens = expected.Length - prompt.Length });

        Assert.Equal(expected, prompt.Concat(added));
    }

    private static double LogProbability(HostDecoder decoder, int[] prompt, int[] added)
    {
        decoder.Truncate(0, 0);
        var logits = new float[(prompt.Length + added.Length) * decoder.Model.VocabularySize];
        decoder.Forward([new(0, prompt.Length + added.Length)], [.. prompt, .. added], LogitRows.All, logits);
        double sum = 0;
        for (var i = 0; i < added.Length; i++)
        {
            var row = logits.AsSpan((prompt.Length + i - 1) * decoder.Model.VocabularySize, decoder.Model.VocabularySize);
            Probabilities.LogSoftmax(row);
            sum += row[added[i]];
        }
        return sum;
    }

    private static HostDecoder Decoder(int contextLength = 60)
    {
        var config = TinyModels.Config;
        return HostDecoder.Copy(config, new RandomWeights(config with { InitializerRange = 0.2 }, 1), 3, contextLength, threads: 1);
    }
}
