using Streaming.Model.Parameters;

namespace Streaming.Model.Generation;

/// <summary>Chooses next tokens from logits; one for a thread, whatever number of texts it continues.</summary>
internal sealed class TokenPicker(int vocabularySize)
{
    private readonly LogitRules _rules = new(vocabularySize);
    private readonly Candidates _candidates = new(vocabularySize);

    /// <param name="logits">One a token of the vocabulary; overwritten.</param>
    /// <param name="text">The prompt and what was added.</param>
    /// <param name="promptLength">Tokens of the prompt.</param>
    /// <param name="random">The text's own.</param>
    public int Pick(Span<float> logits, ReadOnlySpan<int> text, int promptLength, GenerationOptions options, GaussianGenerator random)
    {
        _rules.Apply(logits, text, promptLength, options);
        if (!options.Sample || options.Temperature == 0 || options.TopK == 1)
            return Probabilities.ArgMax(logits);
        _candidates.Select(logits, options);
        return _candidates.Draw(random.NextUniform());
    }
}
