using System.Text.Json;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Tests.Generation;
using Streaming.Model.Safetensors;

namespace Streaming.Hosting.Tests.Commands;

public sealed class ExportCommandSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("export-").FullName;

    private string Model => Path.Combine(_folder, "model");

    private string Target => Path.Combine(_folder, "out");

    public ExportCommandSpec() => TinyModel.Write(Model);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Shards_hold_every_tensor_once_and_generate_the_same_text()
    {
        Assert.Equal((0, ""), await Export("--dtype", "float32", "--max-shard-size", "100KB"));

        using var index = JsonDocument.Parse(File.ReadAllText(Path.Combine(Target, "model.safetensors.index.json")));
        var map = index.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString()!);
        Assert.True(map.Values.Distinct().Count() > 2);
        using var original = SafetensorsWeights.Open(Model);
        Assert.Equal(original.Names.Order(), map.Keys.Order());
        Assert.Equal(await Text(Model), await Text(Target));
        foreach (var name in new[] { "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model" })
            Assert.True(File.Exists(Path.Combine(Target, name)), name);
    }

    [Fact]
    public async Task Half_types_round_to_the_nearest()
    {
        Assert.Equal((0, ""), await Export());
        using var exported = SafetensorsWeights.Open(Target);
        using var original = SafetensorsWeights.Open(Model);
        Assert.All(exported.Names, name => Assert.Equal(TensorType.BF16, exported.Find(name)!.Type));
        var (was, became) = (new float[32 * 32], new float[32 * 32]);
        original.Read("model.layers.1.self_attn.q_proj.weight", was);
        exported.Read("model.layers.1.self_attn.q_proj.weight", became);
        Assert.Equal(was.Select(value => Elements.FromBFloat16(Elements.ToBFloat16(value))), became);
        Assert.Contains("\"torch_dtype\": \"bfloat16\"", File.ReadAllText(Path.Combine(Target, "config.json")));
    }

    [Fact]
    public async Task A_gguf_file_has_its_tables_and_llamas_order_of_rows()
    {
        var path = Path.Combine(_folder, "tiny.gguf");
        const string notice =
            "streaming: llama.cpp spells no character in bytes with a unigram tokenizer: one without a piece of its own is unknown there.\n" +
            "streaming: llama.cpp keeps spaces that this tokenizer drops: several in a row, and those at either end of a text.\n";
        Assert.Equal((0, notice), await Run("--dtype", "float32", "--output", path));

        var (metadata, tensors) = Gguf.Read(path);
        Assert.Equal("llama", metadata["general.architecture"]);
        Assert.Equal(2u, metadata["llama.block_count"]);
        Assert.Equal("t5", metadata["tokenizer.ggml.model"]);
        // llama.cpp begins each text with a space where it folds spaces, which this tokenizer does not.
        Assert.Equal((false, false, false), (metadata["tokenizer.ggml.add_bos_token"], metadata["tokenizer.ggml.add_space_prefix"], metadata["tokenizer.ggml.remove_extra_whitespaces"]));
        Assert.False(metadata.ContainsKey("tokenizer.chat_template"));
        Assert.Equal(2000, ((Array)metadata["tokenizer.ggml.tokens"]).Length);
        Assert.Equal(2000, ((Array)metadata["tokenizer.ggml.scores"]).Length);
        Assert.Equal(21, tensors.Count);
        using var original = SafetensorsWeights.Open(Model);
        var rows = new float[32 * 32];
        original.Read("model.layers.1.self_attn.q_proj.weight", rows);
        var moved = tensors["blk.1.attn_q.weight"];
        for (var head = 0; head < 4; head++)
        {
            for (var pair = 0; pair < 4; pair++)
            {
                Assert.Equal(rows.AsSpan((8 * head + pair) * 32, 32), moved.AsSpan((8 * head + 2 * pair) * 32, 32));
                Assert.Equal(rows.AsSpan((8 * head + 4 + pair) * 32, 32), moved.AsSpan((8 * head + 2 * pair + 1) * 32, 32));
            }
        }
        var embedding = new float[2000 * 32];
        original.Read("model.embed_tokens.weight", embedding);
        Assert.Equal(embedding, tensors["token_embd.weight"]);
    }

    [Fact]
    public async Task End_tokens_that_are_none_are_passed_over()
    {
        File.WriteAllText(Path.Combine(Model, "generation_config.json"), """{"eos_token_id": [99999999999, 1.5, -1, 3, "x"]}""");
        Assert.Equal((0, ""), await Export());
    }

    [Fact]
    public async Task A_type_that_is_none_is_one_sentence_with_those_that_are() =>
        Assert.Equal((2, "streaming: Argument 'int8' not recognized. Must be one of: 'bf16' 'fp16' 'float32'; see streaming --help.\n"), await Export("--dtype", "int8"));

    [Fact]
    public async Task What_is_there_is_not_replaced_unasked()
    {
        Directory.CreateDirectory(Target);
        File.WriteAllText(Path.Combine(Target, "mine.txt"), "");
        Assert.Equal((2, $"streaming: --output: {Target} is not empty; name another folder, or replace what is there with --force.\n"), await Export());
        Assert.Equal((2, $"streaming: --output: {Model} is the model itself; name another folder.\n"), await Run("--output", Model, "--force"));
        Assert.Equal((2, "streaming: --max-shard-size must be a size such as 5GB, 500MB or 100KB, was 5.\n"), await Export("--max-shard-size", "5"));
        Assert.Equal((0, ""), await Export("--force"));
        Assert.True(File.Exists(Path.Combine(Target, "mine.txt")));
    }

    private Task<(int Code, string Errors)> Export(params string[] arguments) => Run(["--output", Target, .. arguments]);

    private async Task<(int Code, string Errors)> Run(params string[] arguments)
    {
        var errors = new StringWriter();
        var code = await CommandLine.RunAsync(Root.Create(), ["export", "--model", Model, .. arguments], TextWriter.Null, errors);
        return (code, errors.ToString());
    }

    private static async Task<string> Text(string model)
    {
        var output = new StringWriter();
        await CommandLine.RunAsync(Root.Create(), ["generate", "--model", model, "--prompt", "日本の", "--greedy", "--max-new-tokens", "20", "--threads", "1"], output, TextWriter.Null);
        return output.ToString();
    }
}
