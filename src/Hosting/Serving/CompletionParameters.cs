using System.Globalization;
using System.Text.Json;
using Streaming.Model;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Serving;

/// <summary>What a request asks for, whichever endpoint it came to.</summary>
internal sealed record CompletionParameters
{
    private const int MostChoices = 128, MostStops = 16, MostLogProbabilities = 20;

    public required GenerationOptions Options { get; init; }

    /// <summary>Tokens asked for; 0 with <see cref="Echo"/> scores a prompt alone.</summary>
    public required int MaxTokens { get; init; }

    public required IReadOnlyList<string> Stops { get; init; }

    /// <summary>Most probable tokens to tell with each; null tells nothing.</summary>
    public int? LogProbabilities { get; init; }

    public bool Echo { get; init; }

    /// <summary>Texts for each prompt.</summary>
    public int Choices { get; init; } = 1;

    public bool Stream { get; init; }
    public bool StreamUsage { get; init; }

    /// <param name="fields">The request.</param>
    /// <param name="isChat">Chat's names and defaults; else those of completions.</param>
    /// <exception cref="ApiException">A value is of another type or out of range.</exception>
    public static CompletionParameters Read(JsonFields fields, bool isChat, MistralConfig model, IReadOnlyList<int> endTokens)
    {
        var echo = !isChat && fields.Switch("echo");
        var maxTokens = isChat
            ? fields.Integer("max_completion_tokens", fields.Integer("max_tokens", int.MaxValue, 1, int.MaxValue), 1, int.MaxValue)
            : fields.Integer("max_tokens", 16, echo ? 0 : 1, int.MaxValue);
        RefuseWhatIsNotText(fields);
        if (fields.Integer("best_of", 1, 1, MostChoices) > fields.Integer("n", 1, 1, MostChoices))
            throw ApiException.Invalid("best_of", "'best_of' above 'n' is not supported; leave it out");
        var temperature = fields.Number("temperature", 1, 0, 2);
        var parameters = new CompletionParameters
        {
            MaxTokens = maxTokens,
            Stops = fields.Texts("stop", MostStops),
            LogProbabilities = ReadLogProbabilities(fields, isChat),
            Echo = echo,
            Choices = fields.Integer("n", 1, 1, MostChoices),
            Stream = fields.Switch("stream"),
            StreamUsage = ReadStreamUsage(fields),
            Options = new GenerationOptions
            {
                MaxNewTokens = Math.Max(1, maxTokens),
                MinNewTokens = Math.Min(fields.Integer("min_tokens", 0, 0, int.MaxValue), Math.Max(1, maxTokens)),
                Sample = temperature > 0,
                Temperature = temperature,
                TopP = fields.Number("top_p", 1, double.Epsilon, 1, "a number above 0 and at most 1"),
                TopK = Math.Max(0, fields.Integer("top_k", 0, -1, int.MaxValue)),
                MinP = fields.Number("min_p", 0, 0, 1),
                RepetitionPenalty = fields.Number("repetition_penalty", 1, 0.01, 100),
                NoRepeatNgramSize = fields.Integer("no_repeat_ngram_size", 0, 0, int.MaxValue),
                FrequencyPenalty = fields.Number("frequency_penalty", 0, -2, 2),
                PresencePenalty = fields.Number("presence_penalty", 0, -2, 2),
                LogitBias = ReadBias(fields),
                EndTokens = fields.Switch("ignore_eos") ? [] : endTokens,
                Seed = fields.Seed("seed") ?? Random.Shared.NextInt64(1L << 31),
            },
        };
        try
        {
            parameters.Options.Validate(model);
            return parameters;
        }
        catch (GenerationException mistake)
        {
            throw ApiException.Invalid(mistake.Parameter, mistake.Message);
        }
    }

    /// <summary>What the model cannot do must not pass in silence: who asks for it would take plain text for it.</summary>
    private static void RefuseWhatIsNotText(JsonFields fields)
    {
        if (fields.Text("suffix") is { Length: > 0 })
            throw ApiException.Invalid("suffix", "'suffix' is not supported: the model writes on, it does not fill in");
        foreach (var name in new[] { "tools", "functions" })
        {
            var isOff = fields.Has("tool_choice") && fields.Get("tool_choice") is { ValueKind: JsonValueKind.String } choice && choice.ValueEquals("none");
            if (fields.Has(name) && !isOff && !(fields.Get(name) is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 0))
                throw ApiException.Invalid(name, $"'{name}' is not supported: the model answers with text; leave it out");
        }
        if (fields.Texts("modalities", MostStops).FirstOrDefault(modality => modality != "text") is { } other)
            throw ApiException.Invalid("modalities", $"'modalities' must be [\"text\"]: the model has no {other}");
        if (fields.Has("response_format") && !(fields.Get("response_format") is { ValueKind: JsonValueKind.Object } format
            && format.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("text")))
            throw fields.Wrong("response_format", "{\"type\": \"text\"}: the model is not bound to a form");
    }

    private static bool ReadStreamUsage(JsonFields fields)
    {
        if (!fields.Has("stream_options"))
            return false;
        var options = fields.Get("stream_options");
        if (options.ValueKind != JsonValueKind.Object)
            throw fields.Wrong("stream_options", "an object, {\"include_usage\": true}");
        return options.TryGetProperty("include_usage", out var usage) && usage.ValueKind == JsonValueKind.True;
    }

    private static int? ReadLogProbabilities(JsonFields fields, bool isChat)
    {
        if (!isChat)
            return fields.Has("logprobs") ? fields.Integer("logprobs", 0, 0, MostLogProbabilities) : null;
        if (fields.Switch("logprobs"))
            return fields.Integer("top_logprobs", 0, 0, MostLogProbabilities);
        return fields.Has("top_logprobs") ? throw ApiException.Invalid("top_logprobs", "'top_logprobs' needs 'logprobs' to be true") : null;
    }

    private static Dictionary<int, float> ReadBias(JsonFields fields)
    {
        var bias = new Dictionary<int, float>();
        if (!fields.Has("logit_bias"))
            return bias;
        var value = fields.Get("logit_bias");
        if (value.ValueKind != JsonValueKind.Object)
            throw fields.Wrong("logit_bias", "an object from token ids to numbers");
        foreach (var entry in value.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var token)
                || entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetSingle(out var number))
                throw fields.Wrong("logit_bias", "an object from token ids to numbers");
            bias[token] = number;
        }
        return bias;
    }
}
