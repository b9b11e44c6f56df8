using Streaming.Hosting.Commands;
using Streaming.Model;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Tests.Generation;

/// <summary>Exported GGUF files in llama.cpp itself: the same numbers, the same text, the same end.</summary>
public sealed class LlamaCppSpec : IDisposable
{
    private const int Prompt = 40, Continuation = 64;

    private static readonly MistralConfig _odd = TinyModel.Config with
    {
        LayerCount = 3,
        HeadCount = 6,
        KeyValueHeadCount = 3,
        HeadSize = 16, // six heads of 16 are wider than the model
        RopeTheta = 1e6,
        RmsNormEpsilon = 1e-5,
        TieWordEmbeddings = true,
        BosTokenId = 2,
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("llama-cpp-").FullName;

    private string Model => Path.Combine(_folder, "model");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string, MistralConfig> Shapes => new()
    {
        { "grouped queries", TinyModel.Config },
        { "wide heads, tied output, another rotation", _odd },
        { "experts", TinyModel.Config with { Experts = new MixtureOfExperts(4, 2, 0.02, Balances: false) } },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task In_float32_logits_and_greedy_text_are_those_of_this_program(string shape, MistralConfig config)
    {
        Assert.NotEmpty(shape);
        TinyModel.Write(Model, config: config);
        using var llama = await Export("float32");
        var prompt = RandomPrompt(config);
        var (logits, added) = Run(Model, prompt);
        // Both sum in float32 and otherwise ordered: rounding errors of logits that spread over 10 to 20.
        Assert.InRange(Distance(logits, llama.Logits([.. prompt, .. added])), 0, 1e-4);
        Assert.Equal(added, llama.Greedy(prompt, Continuation));
    }

    [Theory]
    [InlineData("fp16", 0.005)] // llama.cpp rounds activations too before it multiplies by weights of 2 bytes: 11 bits here,
    [InlineData("bf16", 0.03)] // 8 bits here; relative to the logits' spread
    public async Task In_two_bytes_each_greedy_token_is_nearly_the_most_probable_there(string type, double tolerance)
    {
        TinyModel.Write(Model);
        using var llama = await Export(type);
        var rounded = Path.Combine(_folder, "rounded");
        Assert.Equal((0, ""), await Command("export", "--model", Model, "--output", rounded, "--dtype", type));
        var prompt = RandomPrompt(TinyModel.Config);
        var (logits, added) = Run(rounded, prompt);
        var there = llama.Logits([.. prompt, .. added]);
        var spread = logits.Max(row => row.Max() - row.Min());
        Assert.InRange(Distance(logits, there) / spread, 0, tolerance);
        foreach (var (place, token) in added.Index())
            Assert.True(there[Prompt + place - 1].Max() - there[Prompt + place - 1][token] < tolerance * spread);
    }

    [Fact]
    public async Task It_begins_and_ends_a_text_as_the_folder_says()
    {
        TinyModel.Write(Model);
        File.WriteAllText(Path.Combine(Model, "tokenizer_config.json"), """{"add_bos_token": true}""");
        File.WriteAllText(Path.Combine(Model, "generation_config.json"), """{"eos_token_id": [9, 3, 11]}""");
        foreach (var (name, content) in InstructionFiles.Make(InstructionTemplate.Recipe))
            File.WriteAllBytes(Path.Combine(Model, name), content);
        using var llama = await Export("bf16");
        Assert.True(llama.Vocabulary.ShouldAddBOS);
        Assert.False(llama.Vocabulary.ShouldAddEOS);
        Assert.Equal((2, 3, 0), ((int)llama.Vocabulary.BOS!, (int)llama.Vocabulary.EOS!, (int)llama.Vocabulary.Pad!));
        Assert.Equal([0, 3, 9, 11], llama.EndTokens()); // padding is "[PAD]", which llama.cpp takes for an end by its name
        var text = llama.Tokenize("日本の", addSpecial: true);
        Assert.Equal(2, text[0]);
        Assert.Equal(llama.Tokenize("日本の"), text[1..]);
        Assert.Equal(InstructionFiles.ToJinja(InstructionTemplate.Recipe), llama.ChatTemplate);
    }

    [Fact]
    public async Task Ids_beyond_the_tokenizer_are_there_and_print_nothing()
    {
        TinyModel.Write(Model, config: TinyModel.Config with { VocabularySize = 2100 });
        using var llama = await Export("fp16");
        Assert.Equal(2100, llama.Vocabulary.Count);
        Assert.Equal("", llama.Decode([2000, 2099]));
    }

    private static int[] RandomPrompt(MistralConfig config)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, Prompt).Select(_ => random.Next(260, config.VocabularySize))];
    }

    /// <summary>The greedy continuation, and the logits behind every token of prompt and continuation.</summary>
    private static (float[][] Logits, int[] Added) Run(string model, int[] prompt)
    {
        using var decoder = HostDecoder.Open(model, slots: 1, contextLength: Prompt + Continuation, threads: 1);
        int[] added = [.. TokenGenerator.Generate(decoder, prompt, new GenerationOptions { MaxNewTokens = Continuation, EndTokens = [] })];
        var rows = new float[(prompt.Length + added.Length) * decoder.Model.VocabularySize];
        decoder.Truncate(0, 0);
        decoder.Forward([new(0, prompt.Length + added.Length)], (int[])[.. prompt, .. added], LogitRows.All, rows);
        return ([.. rows.Chunk(decoder.Model.VocabularySize)], added);
    }

    private static double Distance(float[][] expected, float[][] actual) => expected.Zip(actual).Max(rows => rows.First.Zip(rows.Second).Max(pair => Math.Abs(pair.First - pair.Second)));

    private async Task<LlamaCpp> Export(string type)
    {
        var path = Path.Combine(_folder, $"{type}.gguf");
        Assert.Equal(0, (await Command("export", "--model", Model, "--output", path, "--format", "gguf", "--dtype", type)).Code);
        return LlamaCpp.Load(path);
    }

    private static async Task<(int Code, string Errors)> Command(params string[] arguments)
    {
        var errors = new StringWriter();
        var code = await CommandLine.RunAsync(Root.Create(), arguments, TextWriter.Null, errors);
        return (code, errors.ToString());
    }
}
