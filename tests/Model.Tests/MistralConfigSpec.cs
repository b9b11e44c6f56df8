using System.Text.Json;
using System.Text.Json.Nodes;

namespace Streaming.Model.Tests;

public sealed class MistralConfigSpec : IDisposable
{
    private const string Recipe = """
        {"architectures": ["MistralForCausalLM"], "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 1024,
         "initializer_range": 0.02, "intermediate_size": 2400, "max_position_embeddings": 4096, "model_type": "mistral",
         "num_attention_heads": 16, "num_hidden_layers": 24, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
         "rope_theta": 10000.0, "sliding_window": 1024, "tie_word_embeddings": false, "torch_dtype": "float16",
         "transformers_version": "4.35.2", "use_cache": true, "vocab_size": 50257}
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("config-");

    public void Dispose() => _folder.Delete(recursive: true);

    private string File => Path.Combine(_folder.FullName, "config.json");

    private MistralConfig Load(string json)
    {
        System.IO.File.WriteAllText(File, json);
        return MistralConfig.Load(_folder.FullName);
    }

    private MistralConfig LoadWith(string key, string? value)
    {
        var json = JsonNode.Parse(Recipe)!.AsObject();
        json.Remove(key);
        if (value is not null)
            json[key] = JsonNode.Parse(value);
        return Load(json.ToJsonString());
    }

    private string Refusal(string json)
    {
        var message = Assert.Throws<ModelException>(() => Load(json)).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }

    [Fact]
    public void The_spelling_of_Transformers_4_is_read()
    {
        var config = Load(Recipe);

        Assert.Equal(new MistralConfig
        {
            VocabularySize = 50257,
            HiddenSize = 1024,
            IntermediateSize = 2400,
            LayerCount = 24,
            HeadCount = 16,
            KeyValueHeadCount = 8,
            HeadSize = 64,
            MaxPositions = 4096,
            RopeTheta = 10_000,
            RmsNormEpsilon = 1e-5,
            InitializerRange = 0.02,
            SlidingWindow = 1024,
            BosTokenId = 0,
            EosTokenId = 0,
        }, config);
    }

    [Fact]
    public void The_spelling_of_Transformers_5_is_read()
    {
        using var tiny = new TinyReference();

        Assert.Equal((10_000, 16, null, 0), (tiny.Config.RopeTheta, tiny.Config.HeadSize, tiny.Config.SlidingWindow, tiny.Config.PadTokenId));
        Assert.Equal(500_000, LoadWith("rope_parameters", """{"rope_theta": 500000.0, "rope_type": "default"}""").RopeTheta);
    }

    [Fact]
    public void What_was_saved_is_loaded_and_holds_what_Transformers_asks_for()
    {
        var config = Load(Recipe) with { SlidingWindow = null, PadTokenId = 3, HeadSize = 32, RopeTheta = 1e6, TieWordEmbeddings = true };

        config.Save(File, "bfloat16");

        Assert.Equal(config, MistralConfig.Load(File));
        using var json = JsonDocument.Parse(System.IO.File.ReadAllText(File));
        var root = json.RootElement;
        Assert.Equal("MistralForCausalLM", root.GetProperty("architectures")[0].GetString());
        Assert.Equal(("mistral", "silu", "bfloat16"), (root.GetProperty("model_type").GetString(), root.GetProperty("hidden_act").GetString(), root.GetProperty("torch_dtype").GetString()));
        Assert.Equal(JsonValueKind.Null, root.GetProperty("sliding_window").ValueKind); // absent would be 4096
        Assert.Equal("1000000.0", root.GetProperty("rope_theta").GetRawText()); // a float to Python
        Assert.Equal("1000000.0", root.GetProperty("rope_parameters").GetProperty("rope_theta").GetRawText());
    }

    [Fact]
    public void Absent_keys_have_the_defaults_of_Transformers()
    {
        var config = Load("""{"model_type":"mistral","vocab_size":32000,"hidden_size":4096,"intermediate_size":14336,"num_hidden_layers":2,"num_attention_heads":32}""");

        Assert.Equal((8, 128, 131072, 4096), (config.KeyValueHeadCount, config.HeadSize, config.MaxPositions, config.SlidingWindow));
        Assert.Equal((10_000, 1e-6, 0.02), (config.RopeTheta, config.RmsNormEpsilon, config.InitializerRange));
        Assert.Equal((1, 2, null), (config.BosTokenId, config.EosTokenId, config.PadTokenId));
        Assert.Equal(16, LoadWith("num_key_value_heads", "null").KeyValueHeadCount);
        Assert.Null(LoadWith("sliding_window", "null").SlidingWindow);
        Assert.Equal(64, LoadWith("head_dim", "null").HeadSize);
        Assert.Equal(5, LoadWith("eos_token_id", "[5, 6]").EosTokenId);
    }

    [Theory]
    [InlineData("vocab_size", null, "must be a whole number from 1 to 16777216, was absent")]
    [InlineData("vocab_size", "0", "must be a whole number from 1 to 16777216, was 0")]
    [InlineData("vocab_size", "50257.0", "must be a whole number from 1 to 16777216, was 50257.0")]
    [InlineData("vocab_size", "\"50257\"", "must be a whole number from 1 to 16777216, was \"50257\"")]
    [InlineData("hidden_size", "99999999999999999999", "must be a whole number from 1 to 1048576, was 99999999999999999999")]
    [InlineData("hidden_size", "1000", "must be a multiple of num_attention_heads (16) where head_dim is absent, was 1000")]
    [InlineData("hidden_size", "1040", "must be even, because rotary position embeddings turn pairs, was 65")]
    [InlineData("num_key_value_heads", "3", "must be a divisor of num_attention_heads (16), was 3")]
    [InlineData("num_key_value_heads", "32", "must be a whole number from 1 to 16, was 32")]
    [InlineData("num_hidden_layers", "-1", "must be a whole number from 1 to 10000, was -1")]
    [InlineData("rms_norm_eps", "0", "must be a number above 0 and below 1, was 0")]
    [InlineData("rms_norm_eps", "1e400", "must be a number above 0 and below 1, was 1e400")]
    [InlineData("rope_theta", "-1", "must be a number above 0, was -1")]
    [InlineData("sliding_window", "0", "must be a whole number of at least 1, was 0")]
    [InlineData("tie_word_embeddings", "1", "must be true or false, was 1")]
    [InlineData("pad_token_id", "50257", "must be a whole number from 0 to 50256, was 50257")]
    [InlineData("eos_token_id", "[]", "must be a whole number from 0 to 50256, or a list of such, was []")]
    [InlineData("architectures", "[\"LlamaForCausalLM\"]", "must be MistralForCausalLM or MixtralForCausalLM, was LlamaForCausalLM")]
    [InlineData("model_type", "\"mixtral\"", "must be that of the architecture, MistralForCausalLM, was mixtral")]
    [InlineData("model_type", "\"llama\"", "must be mistral or mixtral, was llama")]
    [InlineData("hidden_act", "\"gelu\"", "must be silu, was gelu")]
    [InlineData("attention_dropout", "0.1", "was 0.1")]
    [InlineData("rope_parameters", "{\"rope_theta\": 1e4, \"rope_type\": \"yarn\"}", "rope_parameters.rope_type must be default, was yarn")]
    [InlineData("rope_scaling", "{\"type\": \"linear\", \"factor\": 2}", "rope_scaling.type must be default, was linear")]
    [InlineData("rope_scaling", "{\"type\": \"linear\"}, \"rope_parameters\": {\"rope_theta\": 1e4, \"rope_type\": \"default\"}", "rope_scaling.type must be default, was linear")]
    [InlineData("rope_parameters", "5", "rope_parameters must be a JSON object, was 5")]
    public void A_value_out_of_range_is_refused_with_file_key_and_value(string key, string? value, string reason)
    {
        var json = JsonNode.Parse(Recipe)!.AsObject();
        json.Remove(key);
        var text = json.ToJsonString();
        if (value is not null)
            text = text[..^1] + $",\"{key}\":{value}}}";

        var message = Refusal(text);

        Assert.StartsWith(File + ": ", message);
        Assert.EndsWith(reason, message);
        Assert.Contains(key == "hidden_size" && value == "1040" ? "head_dim" : key, message);
    }

    [Theory]
    [InlineData("", "is not JSON")]
    [InlineData("[]", "must be a JSON object, was []")]
    [InlineData("""{"vocab_size": 5""", "is not JSON")]
    [InlineData("""{"vocab_size": 5}""", "model_type must be mistral or mixtral, was absent")]
    [InlineData("""{"model_type": "\ud800"}""", "is not JSON")]
    public void A_file_that_is_no_configuration_is_refused(string json, string reason) => Assert.Contains(reason, Refusal(json));

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.StartsWith($"{File} cannot be read: ", Assert.Throws<ModelException>(() => MistralConfig.Load(_folder.FullName)).Message);
}
