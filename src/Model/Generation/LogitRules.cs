namespace Streaming.Model.Generation;

// Shapes: V vocabulary.

/// <summary>
/// What the text so far forbids and prefers: repetition penalty, repeated n-grams, bad words, the least length, in the order
/// of Transformers' processors, then OpenAI's penalties and biases. Scratch memory for one thread.
/// </summary>
internal sealed class LogitRules(int vocabularySize)
{
    private readonly int[] _seen = new int[vocabularySize]; // the round in which a token was met
    private int _round;

    /// <summary>Changes scores, logits or log probabilities, in place; what is forbidden becomes negative infinity.</summary>
    /// <param name="scores">(V)</param>
    /// <param name="text">The prompt and what was added.</param>
    /// <param name="promptLength">Tokens of the prompt.</param>
    public void Apply(Span<float> scores, ReadOnlySpan<int> text, int promptLength, GenerationOptions options)
    {
        if (options.RepetitionPenalty != 1)
            PenalizeRepetition(scores, text, (float)options.RepetitionPenalty);
        if (options.NoRepeatNgramSize > 0)
            ForbidRepeatedNgrams(scores, text, options.NoRepeatNgramSize);
        foreach (var word in options.BadWords)
            ForbidWord(scores, text, word, options.EndTokens);
        if (text.Length - promptLength < options.MinNewTokens)
        {
            foreach (var end in options.EndTokens)
                scores[end] = float.NegativeInfinity;
        }
        if (options.FrequencyPenalty != 0 || options.PresencePenalty != 0)
            PenalizeGenerated(scores, text[promptLength..], (float)options.FrequencyPenalty, (float)options.PresencePenalty);
        foreach (var (token, bias) in options.LogitBias)
            scores[token] += bias;
    }

    private void PenalizeRepetition(Span<float> scores, ReadOnlySpan<int> text, float penalty)
    {
        _round++;
        foreach (var token in text)
        {
            if (_seen[token] == _round)
                continue;
            _seen[token] = _round;
            scores[token] = scores[token] < 0 ? scores[token] * penalty : scores[token] / penalty;
        }
    }

    private void PenalizeGenerated(Span<float> scores, ReadOnlySpan<int> added, float frequency, float presence)
    {
        _round++;
        foreach (var token in added)
        {
            scores[token] -= _seen[token] == _round ? frequency : frequency + presence;
            _seen[token] = _round;
        }
    }

    private static void ForbidRepeatedNgrams(Span<float> scores, ReadOnlySpan<int> text, int size)
    {
        if (text.Length + 1 < size)
            return;
        var last = text[^(size - 1)..];
        for (var at = 0; at + size <= text.Length; at++)
        {
            if (text.Slice(at, size - 1).SequenceEqual(last))
                scores[text[at + size - 1]] = float.NegativeInfinity;
        }
    }

    private static void ForbidWord(Span<float> scores, ReadOnlySpan<int> text, IReadOnlyList<int> word, IReadOnlyList<int> endTokens)
    {
        // As Transformers does: the end of the text is no bad word, and one longer than the text cannot begin in it.
        if (word.Count > text.Length || (word.Count == 1 && endTokens.Contains(word[0])))
            return;
        var before = text[^(word.Count - 1)..];
        for (var i = 0; i < before.Length; i++)
        {
            if (before[i] != word[i])
                return;
        }
        if ((uint)word[^1] < (uint)scores.Length)
            scores[word[^1]] = float.NegativeInfinity;
    }
}
