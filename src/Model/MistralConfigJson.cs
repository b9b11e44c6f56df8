using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Streaming.Model;

/// <summary>
/// Hugging Face's <c>config.json</c> to <see cref="MistralConfig"/> and back. A key that is absent has the value that
/// Transformers 5 gives it (<c>MistralConfig.__init__</c>), except for the five that say what size the model is.
/// </summary>
internal static class MistralConfigJson
{
    private const string Architecture = "MistralForCausalLM", ModelType = "mistral";
    private const string ExpertArchitecture = "MixtralForCausalLM", ExpertModelType = "mixtral";
    private const long MaximumFileBytes = 1 << 20;

    public static MistralConfig Load(string path)
    {
        if (Directory.Exists(path))
            path = Path.Combine(path, "config.json");
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > MaximumFileBytes)
                throw new ModelException($"{path} has {file.Length} bytes, too many for a model's config.json");
            using var document = JsonDocument.Parse(file);
            return Read(new JsonValues(path, document.RootElement));
        }
        catch (JsonException exception)
        {
            throw new ModelException($"{path} is not JSON: {JsonObjectText.OneLine(exception)}", exception);
        }
        catch (InvalidOperationException exception) // a text with half a surrogate pair
        {
            throw new ModelException($"{path} is not JSON: {JsonObjectText.OneLine(exception)}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ModelException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    private static MistralConfig Read(JsonValues json)
    {
        var hasExperts = RequireMistral(json);
        var hidden = json.Integer("hidden_size", 1, 1 << 20);
        var heads = json.Integer("num_attention_heads", 1, 1 << 16);
        // Absent is Mistral 7B's 8; null is as many as attention heads.
        var keyValueHeads = json.Has("num_key_value_heads") ? json.OptionalInteger("num_key_value_heads", 1, heads) ?? heads
            : json.IsNull("num_key_value_heads") ? heads : Math.Min(8, heads);
        if (heads % keyValueHeads != 0)
            throw json.Refuse("num_key_value_heads", keyValueHeads, $"a divisor of num_attention_heads ({heads})");
        var headSize = json.OptionalInteger("head_dim", 1, 1 << 16);
        if (headSize is null && hidden % heads != 0)
            throw json.Refuse("hidden_size", hidden, $"a multiple of num_attention_heads ({heads}) where head_dim is absent");
        if ((headSize ?? hidden / heads) % 2 != 0)
            throw json.Refuse("head_dim", headSize ?? hidden / heads, "even, because rotary position embeddings turn pairs");
        var vocabulary = json.Integer("vocab_size", 1, 1 << 24);
        return new MistralConfig
        {
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = json.Integer("intermediate_size", 1, 1 << 24),
            LayerCount = json.Integer("num_hidden_layers", 1, 10_000),
            HeadCount = heads,
            KeyValueHeadCount = keyValueHeads,
            HeadSize = headSize ?? hidden / heads,
            MaxPositions = json.Integer("max_position_embeddings", 1, int.MaxValue, absent: 4096 * 32),
            RopeTheta = RopeTheta(json, absent: hasExperts ? 1e6 : 10_000),
            RmsNormEpsilon = json.Number("rms_norm_eps", "a number above 0 and below 1", value => value > 0 && value < 1, absent: hasExperts ? 1e-5 : 1e-6),
            InitializerRange = json.Number("initializer_range", "a number from 0 to 10", value => value is >= 0 and <= 10, absent: 0.02),
            SlidingWindow = json.IsAbsent("sliding_window") ? hasExperts ? null : 4096 : json.OptionalInteger("sliding_window", 1, int.MaxValue),
            TieWordEmbeddings = json.Boolean("tie_word_embeddings", absent: false),
            Experts = hasExperts ? Experts(json) : null,
            BosTokenId = TokenId(json, "bos_token_id", vocabulary, absent: 1),
            // Chat models may list several; the first is the one that ends a text.
            EosTokenId = json.IsList("eos_token_id") ? json.FirstInteger("eos_token_id", 0, vocabulary - 1) : TokenId(json, "eos_token_id", vocabulary, absent: 2),
            PadTokenId = TokenId(json, "pad_token_id", vocabulary, absent: null),
        };
    }

    /// <summary>Refuses other architectures, and the variants that would compute something else.</summary>
    /// <returns>Whether it is Mixtral.</returns>
    private static bool RequireMistral(JsonValues json)
    {
        var architectures = json.Strings("architectures") ?? [];
        if (architectures.Count > 0 && !architectures.Contains(Architecture) && !architectures.Contains(ExpertArchitecture))
            throw json.Refuse("architectures", string.Join(", ", architectures), $"{Architecture} or {ExpertArchitecture}");
        var type = json.Text("model_type");
        if (type is not (ModelType or ExpertModelType) && !(type is null && json.Has("architectures")))
            throw json.Refuse("model_type", type ?? "absent", $"{ModelType} or {ExpertModelType}");
        var hasExperts = type is null ? architectures.Contains(ExpertArchitecture) : type == ExpertModelType;
        if (architectures.Count > 0 && !architectures.Contains(hasExperts ? ExpertArchitecture : Architecture))
            throw json.Refuse("model_type", type!, $"that of the architecture, {architectures[0]}");
        if (json.Text("hidden_act") is { } activation && activation is not ("silu" or "swish"))
            throw json.Refuse("hidden_act", activation, "silu");
        json.Number("attention_dropout", "0: training without dropout is what this program does", value => value == 0, absent: 0);
        return hasExperts;
    }

    private static MixtureOfExperts Experts(JsonValues json)
    {
        json.Number("router_jitter_noise", "0: training without noise is what this program does", value => value == 0, absent: 0);
        var count = json.Integer("num_local_experts", 1, 4096, absent: 8);
        return new MixtureOfExperts(
            count,
            json.Integer("num_experts_per_tok", 1, count, absent: Math.Min(2, count)),
            json.Number("router_aux_loss_coef", "a number from 0 to 1000", value => value is >= 0 and <= 1000, absent: 0.001),
            json.Boolean("output_router_logits", absent: false));
    }

    /// <summary>The base of the rotary embedding: <c>rope_parameters.rope_theta</c> (Transformers 5), else <c>rope_theta</c> (Transformers 4).</summary>
    private static double RopeTheta(JsonValues json, double absent)
    {
        const string allowed = "a number above 0";
        double? theta = null;
        foreach (var key in new[] { "rope_parameters", "rope_scaling" })
        {
            if (!json.Has(key))
                continue;
            var rope = json.Object(key);
            foreach (var kind in new[] { "rope_type", "type" })
            {
                if (rope.Text(kind) is { } name && name != "default")
                    throw rope.Refuse(kind, name, "default");
            }
            if (rope.Has("rope_theta"))
                theta ??= rope.Number("rope_theta", allowed, value => value > 0, absent: 0);
        }
        return theta ?? json.Number("rope_theta", allowed, value => value > 0, absent);
    }

    private static int? TokenId(JsonValues json, string key, int vocabulary, int? absent)
    {
        if (json.IsAbsent(key))
            return absent < vocabulary ? absent : null;
        return json.OptionalInteger(key, 0, vocabulary - 1);
    }

    /// <summary>The text of a <c>config.json</c>. The rope settings are written in both spellings.</summary>
    public static string Write(MistralConfig config, string weightsType)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue(config.Experts is null ? Architecture : ExpertArchitecture);
            json.WriteEndArray();
            WriteNumber(json, "attention_dropout", 0);
            WriteOptional(json, "bos_token_id", config.BosTokenId);
            WriteOptional(json, "eos_token_id", config.EosTokenId);
            json.WriteNumber("head_dim", config.HeadSize);
            json.WriteString("hidden_act", "silu");
            json.WriteNumber("hidden_size", config.HiddenSize);
            WriteNumber(json, "initializer_range", config.InitializerRange);
            json.WriteNumber("intermediate_size", config.IntermediateSize);
            json.WriteNumber("max_position_embeddings", config.MaxPositions);
            json.WriteString("model_type", config.Experts is null ? ModelType : ExpertModelType);
            json.WriteNumber("num_attention_heads", config.HeadCount);
            if (config.Experts is { } experts)
            {
                json.WriteNumber("num_experts_per_tok", experts.PerToken);
                json.WriteNumber("num_local_experts", experts.Count);
                json.WriteBoolean("output_router_logits", experts.Balances);
                WriteNumber(json, "router_aux_loss_coef", experts.BalanceWeight);
                WriteNumber(json, "router_jitter_noise", 0);
            }
            json.WriteNumber("num_hidden_layers", config.LayerCount);
            json.WriteNumber("num_key_value_heads", config.KeyValueHeadCount);
            WriteOptional(json, "pad_token_id", config.PadTokenId);
            WriteNumber(json, "rms_norm_eps", config.RmsNormEpsilon);
            json.WriteStartObject("rope_parameters");
            WriteNumber(json, "rope_theta", config.RopeTheta);
            json.WriteString("rope_type", "default");
            json.WriteEndObject();
            WriteNumber(json, "rope_theta", config.RopeTheta);
            WriteOptional(json, "sliding_window", config.SlidingWindow);
            json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
            json.WriteString("torch_dtype", weightsType);
            json.WriteBoolean("use_cache", true);
            json.WriteNumber("vocab_size", config.VocabularySize);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    private static void WriteOptional(Utf8JsonWriter json, string key, int? value)
    {
        if (value is { } number)
            json.WriteNumber(key, number);
        else
            json.WriteNull(key);
    }

    /// <summary>Python reads <c>10000</c> as an integer, which Transformers refuses where it expects a float.</summary>
    private static void WriteNumber(Utf8JsonWriter json, string key, double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        json.WritePropertyName(key);
        json.WriteRawValue(text.AsSpan().IndexOfAny('.', 'E') < 0 ? text + ".0" : text);
    }
}
