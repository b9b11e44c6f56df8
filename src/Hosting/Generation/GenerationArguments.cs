using System.CommandLine;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Generation;

/// <summary>The command line's options for how texts go on. What is left out is the recipe's: drawn, temperature 0.9, top-k 50, top-p 0.95.</summary>
internal sealed class GenerationArguments
{
    private readonly Option<int> _maxNewTokens = NumberOption.Of("--max-new-tokens", "Tokens to add at most.", 256);
    private readonly Option<int> _minNewTokens = NumberOption.Of("--min-new-tokens", "Tokens before which the text does not end.", 0);
    private readonly Option<bool> _greedy = new("--greedy") { Description = "Take the most probable token each time instead of drawing one; with beams, search without drawing." };
    private readonly Option<double> _temperature = NumberOption.Of("--temperature", "Divides the scores before the draw; 0 is greedy.", 0.9);
    private readonly Option<int> _topK = NumberOption.Of("--top-k", "Draw among so many of the most probable tokens; 0 among all.", 50);
    private readonly Option<double> _topP = NumberOption.Of("--top-p", "Draw among the fewest tokens that make up this share of the probability.", 0.95);
    private readonly Option<double> _minP = NumberOption.Of("--min-p", "Draw among tokens of at least this share of the highest probability.", 0.0);
    private readonly Option<double> _repetitionPenalty = NumberOption.Of("--repetition-penalty", "Makes tokens that the text already holds less probable; 1 does not.", 1.0);
    private readonly Option<int> _noRepeat = NumberOption.Of("--no-repeat-ngram-size", "No sequence of so many tokens comes twice; 0 allows it.", 0);
    private readonly Option<int> _beams = NumberOption.Of("--num-beams", "Texts that are followed at once; 1 is no beam search.", 1);
    private readonly Option<double> _lengthPenalty = NumberOption.Of("--length-penalty", "Beams: exponent of the length that a text's log probability is divided by.", 1.0);
    private readonly Option<string> _earlyStopping = new("--early-stopping") { Description = "Beams: when the search ends, as in Transformers.", DefaultValueFactory = _ => "false" };
    private readonly Option<string[]> _badWords = new("--bad-word") { Description = "A text that never comes. Repeatable.", HelpName = "text", DefaultValueFactory = _ => [] };
    private readonly Option<string[]> _stops = new("--stop") { Description = "A text that ends the output and is not shown. Repeatable.", HelpName = "text", DefaultValueFactory = _ => [] };
    private readonly Option<bool> _ignoreEnd = new("--ignore-eos") { Description = "Go on where the model would end the text." };
    private readonly Option<long?> _seed = new("--seed") { Description = "The same seed draws the same text; left out, each run draws another.", HelpName = "N" };

    public GenerationArguments() => _earlyStopping.AcceptOnlyFromAmong("true", "false", "never");

    public void AddTo(Command command)
    {
        foreach (var option in new Option[]
        {
            _maxNewTokens, _minNewTokens, _greedy, _temperature, _topK, _topP, _minP, _repetitionPenalty, _noRepeat, _beams, _lengthPenalty,
            _earlyStopping, _badWords, _stops, _ignoreEnd, _seed,
        })
            command.Add(option);
    }

    public IReadOnlyList<string> Stops(ParseResult parsed)
    {
        var stops = parsed.GetRequiredValue(_stops);
        return stops.Contains("") ? throw new UserErrorException("--stop must be a text, was empty; leave it out to stop at nothing.") : stops;
    }

    /// <exception cref="UserErrorException">A value is out of range.</exception>
    public GenerationOptions Read(ParseResult parsed, ModelFolder model)
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = parsed.GetValue(_maxNewTokens),
            MinNewTokens = parsed.GetValue(_minNewTokens),
            Sample = !parsed.GetValue(_greedy),
            Temperature = parsed.GetValue(_temperature),
            TopK = parsed.GetValue(_topK),
            TopP = parsed.GetValue(_topP),
            MinP = parsed.GetValue(_minP),
            RepetitionPenalty = parsed.GetValue(_repetitionPenalty),
            NoRepeatNgramSize = parsed.GetValue(_noRepeat),
            Beams = parsed.GetValue(_beams),
            LengthPenalty = parsed.GetValue(_lengthPenalty),
            EarlyStopping = parsed.GetValue(_earlyStopping) switch { "true" => EarlyStopping.WhenFull, "never" => EarlyStopping.Never, _ => EarlyStopping.Heuristic },
            BadWords = [.. parsed.GetRequiredValue(_badWords).Select(word => BadWord(model, word))],
            EndTokens = parsed.GetValue(_ignoreEnd) ? [] : model.EndTokens,
            LogitBias = parsed.GetValue(_ignoreEnd) ? model.EndTokens.ToDictionary(token => token, _ => -100f) : new Dictionary<int, float>(),
            Seed = parsed.GetValue(_seed) ?? Random.Shared.NextInt64(1L << 31),
        };
        try
        {
            options.Validate(model.Config);
            return options;
        }
        catch (GenerationException mistake)
        {
            throw new UserErrorException($"--{mistake.Parameter.Replace('_', '-')}: {mistake.Message}.");
        }
    }

    private static IReadOnlyList<int> BadWord(ModelFolder model, string word)
    {
        var ids = model.Encode(word);
        var from = model.BeginsWithBos && ids.Length > 0 ? 1 : 0;
        return ids.Length > from ? ids[from..] : throw new UserErrorException($"--bad-word '{word}' has no tokens; give a text that has some.");
    }
}
