using Streaming.Model.Generation;

namespace Streaming.Model.Tests.Generation;

public sealed class LogitRulesSpec
{
    private const float Never = float.NegativeInfinity;

    private static float[] Apply(int[] text, GenerationOptions options, int promptLength = 0)
    {
        float[] scores = [1, -1, 2, -2, 3];
        new LogitRules(scores.Length).Apply(scores, text, promptLength, options);
        return scores;
    }

    [Fact]
    public void Tokens_of_the_text_lose_by_the_repetition_penalty_once() =>
        Assert.Equal([0.5f, -2, 2, -2, 3], Apply([0, 1, 0], new() { RepetitionPenalty = 2 }));

    [Fact]
    public void Generated_tokens_lose_by_frequency_and_presence() =>
        Assert.Equal([1, -1, 0, -3.5f, 3], Apply([4, 2, 2, 3], new() { FrequencyPenalty = 0.5, PresencePenalty = 1 }, promptLength: 1));

    [Fact]
    public void No_ngram_comes_twice()
    {
        Assert.Equal([1, -1, Never, Never, 3], Apply([1, 2, 1, 3, 1], new() { NoRepeatNgramSize = 2 }));
        Assert.Equal([1, -1, 2, Never, 3], Apply([1, 2, 3, 1, 2], new() { NoRepeatNgramSize = 3 }));
        Assert.Equal([1, Never, Never, -2, 3], Apply([1, 2], new() { NoRepeatNgramSize = 1 }));
        Assert.Equal([1, -1, 2, -2, 3], Apply([1, 1], new() { NoRepeatNgramSize = 4 }));
    }

    [Fact]
    public void Bad_words_never_come_but_their_beginnings_do()
    {
        IReadOnlyList<IReadOnlyList<int>> words = [[4], [1, 2], [3, 1, 0]];
        Assert.Equal([1, -1, Never, -2, Never], Apply([0, 1], new() { BadWords = words }));
        Assert.Equal([Never, -1, Never, -2, Never], Apply([0, 3, 1], new() { BadWords = words }));
    }

    [Fact]
    public void No_text_ends_before_its_least_length()
    {
        var options = new GenerationOptions { MinNewTokens = 2, EndTokens = [0, 4] };
        Assert.Equal([Never, -1, 2, -2, Never], Apply([1, 1], options, promptLength: 1));
        Assert.Equal([1, -1, 2, -2, 3], Apply([1, 1, 1], options, promptLength: 1));
    }

    [Fact]
    public void Biases_are_added() =>
        Assert.Equal([1, -1, 2, 98, 3], Apply([1], new() { LogitBias = new Dictionary<int, float> { [3] = 100 } }));
}
