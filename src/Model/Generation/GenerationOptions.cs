using System.Globalization;

namespace Streaming.Model.Generation;

/// <summary>How a text is continued; names and meaning are those of Transformers' <c>GenerationConfig</c>.</summary>
public sealed record GenerationOptions
{
    /// <summary>Tokens added at most.</summary>
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>Tokens before which no end token is taken.</summary>
    public int MinNewTokens { get; init; }

    /// <summary>Draws each token; false takes the most probable one.</summary>
    public bool Sample { get; init; }

    /// <summary>Divides the scores before the draw.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Most probable tokens among which one is drawn; 0 draws among all.</summary>
    public int TopK { get; init; }

    /// <summary>Draws among the fewest tokens whose probabilities make up this share.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Draws among tokens of at least this share of the highest probability.</summary>
    public double MinP { get; init; }

    /// <summary>Divides the positive scores of tokens that the text already holds, and multiplies the negative ones.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Taken from a token's score for each time it was generated (OpenAI's <c>frequency_penalty</c>).</summary>
    public double FrequencyPenalty { get; init; }

    /// <summary>Taken from a token's score once it was generated (OpenAI's <c>presence_penalty</c>).</summary>
    public double PresencePenalty { get; init; }

    /// <summary>No sequence of so many tokens occurs twice; 0 allows it.</summary>
    public int NoRepeatNgramSize { get; init; }

    /// <summary>Token sequences that never come.</summary>
    public IReadOnlyList<IReadOnlyList<int>> BadWords { get; init; } = [];

    /// <summary>Added to the scores of tokens (OpenAI's <c>logit_bias</c>).</summary>
    public IReadOnlyDictionary<int, float> LogitBias { get; init; } = new Dictionary<int, float>();

    /// <summary>Tokens that end the text, themselves included in what was added.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>The same seed draws the same text.</summary>
    public long Seed { get; init; }

    /// <summary>Texts that are followed at once; 1 is no beam search.</summary>
    public int Beams { get; init; } = 1;

    /// <summary>Beams: exponent of the length by which a finished text's log probability is divided.</summary>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>Beams: when the search ends.</summary>
    public EarlyStopping EarlyStopping { get; init; } = EarlyStopping.Heuristic;

    /// <summary>Tokens of at least this rank stay after a cut, so that beams have something to go on with.</summary>
    internal int MinimumKept => Beams > 1 ? Math.Max(2, EndTokens.Count + 1) : 1;

    /// <summary>True where the next token is that of the highest logit, whatever came before.</summary>
    internal bool IsPlainGreedy =>
        (!Sample || Temperature == 0) && Beams == 1 && RepetitionPenalty == 1 && FrequencyPenalty == 0 && PresencePenalty == 0
        && NoRepeatNgramSize == 0 && BadWords.Count == 0 && LogitBias.Count == 0 && MinNewTokens == 0;

    /// <summary>Checks every value.</summary>
    /// <exception cref="GenerationException">One is out of range; names it as Transformers does.</exception>
    public void Validate(MistralConfig model)
    {
        Require(MaxNewTokens >= 1, "max_new_tokens", MaxNewTokens, "a whole number of at least 1");
        Require(MinNewTokens >= 0 && MinNewTokens <= MaxNewTokens, "min_new_tokens", MinNewTokens, $"a whole number from 0 to max_new_tokens ({MaxNewTokens})");
        Require(Temperature is >= 0 and <= 100, "temperature", Temperature, "a number from 0 to 100");
        Require(TopK >= 0, "top_k", TopK, "a whole number of at least 0 (0 draws among all)");
        Require(TopP is > 0 and <= 1, "top_p", TopP, "a number above 0, at most 1");
        Require(MinP is >= 0 and <= 1, "min_p", MinP, "a number from 0 to 1");
        Require(RepetitionPenalty is > 0 and <= 100, "repetition_penalty", RepetitionPenalty, "a number above 0, at most 100");
        Require(FrequencyPenalty is >= -2 and <= 2, "frequency_penalty", FrequencyPenalty, "a number from -2 to 2");
        Require(PresencePenalty is >= -2 and <= 2, "presence_penalty", PresencePenalty, "a number from -2 to 2");
        Require(NoRepeatNgramSize >= 0, "no_repeat_ngram_size", NoRepeatNgramSize, "a whole number of at least 0");
        Require(Beams is >= 1 and <= 64, "num_beams", Beams, "a whole number from 1 to 64");
        Require(double.IsFinite(LengthPenalty) && Math.Abs(LengthPenalty) <= 100, "length_penalty", LengthPenalty, "a number from -100 to 100");
        foreach (var word in BadWords)
            Require(word.Count > 0, "bad_words", "empty", "a text that has tokens");
        foreach (var (token, bias) in LogitBias)
        {
            Require((uint)token < (uint)model.VocabularySize, "logit_bias", token, $"of tokens from 0 to {model.VocabularySize - 1}");
            Require(float.IsFinite(bias) && Math.Abs(bias) <= 100, "logit_bias", bias, "a number from -100 to 100");
        }
    }

    private static void Require(bool holds, string name, object value, string allowed)
    {
        if (!holds)
            throw new GenerationException(name, string.Create(CultureInfo.InvariantCulture, $"{name} must be {allowed}, was {value}"));
    }
}

/// <summary>When a beam search ends (Transformers' <c>early_stopping</c>).</summary>
public enum EarlyStopping
{
    /// <summary><c>False</c>: once the best running text is unlikely to beat the finished ones.</summary>
    Heuristic,

    /// <summary><c>True</c>: once as many texts are finished as there are beams.</summary>
    WhenFull,

    /// <summary><c>"never"</c>: once no running text can beat the finished ones.</summary>
    Never,
}

/// <summary>What was asked cannot be generated: a parameter out of range, a prompt that is empty or too long.</summary>
/// <param name="parameter">Its name: <c>temperature</c>, <c>prompt</c>.</param>
/// <param name="message">One sentence for the user, with the value and what is allowed.</param>
public sealed class GenerationException(string parameter, string message) : ModelException(message)
{
    public string Parameter { get; } = parameter;
}
