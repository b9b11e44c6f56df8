using Streaming.Hosting.Commands;
using Streaming.Streams.TokenizerTraining;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Generation;

/// <summary>Model folders whose tokenizer joins byte pairs, as <c>tokenizer.model</c> and as <c>tokenizer.json</c>.</summary>
public sealed class OtherTokenizersSpec : IDisposable
{
    private static readonly string _pairs = Path.Combine(ReferenceData.RepositoryRoot, "tests", "Streams.Tests", "Tokenization", "Models", "pairs-bytes.model");

    private readonly string _folder = Directory.CreateTempSubdirectory("pairs-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_folder_generates_the_same_text_with_either_file()
    {
        var (model, json) = (Write("model", asJson: false), Write("json", asJson: true));
        string[] arguments = ["--prompt", "机の上の本を照ら👍す", "--greedy", "--max-new-tokens", "12", "--ignore-eos", "--threads", "1"];
        var first = await Run(["generate", "--model", model, .. arguments]);
        Assert.Equal((0, ""), (first.Code, first.Errors));
        Assert.StartsWith("机の上の本を照ら👍す", first.Output);
        Assert.Equal(first, await Run(["generate", "--model", json, .. arguments]));
    }

    [Fact]
    public async Task An_export_keeps_the_file_and_what_lies_beside_it_and_GGUF_needs_a_model_file()
    {
        var (json, target) = (Write("json", asJson: true), Path.Combine(_folder, "out"));
        Assert.Equal(0, (await Run("export", "--model", json, "--output", target)).Code);
        foreach (var name in new[] { "tokenizer.json", "tokenizer_config.json" })
            Assert.Equal(File.ReadAllText(Path.Combine(json, name)), File.ReadAllText(Path.Combine(target, name)));
        Assert.False(File.Exists(Path.Combine(target, "tokenizer.model")));
        var refused = await Run("export", "--model", json, "--output", Path.Combine(_folder, "m.gguf"), "--format", "gguf");
        Assert.Equal((2, $"streaming: --format gguf needs a SentencePiece model, and {Path.Combine(json, "tokenizer.json")} is a tokenizer.json; give the model's tokenizer.model with --tokenizer.\n"), (refused.Code, refused.Errors));
        Assert.Equal(0, (await Run("export", "--model", Write("model", asJson: false), "--output", Path.Combine(_folder, "m.gguf"), "--format", "gguf")).Code);
    }

    [Fact]
    public async Task A_run_trains_with_it_and_its_checkpoint_generates()
    {
        var (json, run) = (Write("json", asJson: true), Path.Combine(_folder, "run"));
        var text = Path.Combine(ReferenceData.RepositoryRoot, "tests", "Streams.Tests", "Tokenization", "Models", "training-text.txt");
        var trained = await Run(
            "train", "--set", $"run.directory={run}", "--set", $"data.sources=[{text}]", "--set", $"data.tokenizer={json}/tokenizer.json", "--set", $"model.config={json}/config.json",
            "--set", "data.block-size=16", "--set", "data.validation-fraction=0", "--set", "training.max-steps=3", "--set", "training.per-device-train-batch-size=2", "--set", "metrics.enabled=false", "--set", "sample.max-new-tokens=4");
        Assert.Equal(0, trained.Code);
        var checkpoint = Path.Combine(run, "checkpoints", "latest");
        Assert.Equal(File.ReadAllText(Path.Combine(json, "tokenizer.json")), File.ReadAllText(Path.Combine(checkpoint, "tokenizer.json")));
        Assert.True(File.Exists(Path.Combine(checkpoint, "tokenizer_config.json")));
        Assert.Equal(0, (await Run("generate", "--model", run, "--prompt", "本", "--max-new-tokens", "3", "--threads", "1")).Code);
    }

    [Fact]
    public async Task A_part_that_is_not_supported_is_one_sentence()
    {
        var json = Path.Combine(Write("json", asJson: true), "tokenizer.json");
        File.WriteAllText(json, File.ReadAllText(json).Replace("\"type\": \"BPE\"", "\"type\": \"WordPiece\""));
        var refused = await Run("generate", "--model", Path.GetDirectoryName(json)!, "--prompt", "a");
        Assert.Equal((2, $"streaming: --tokenizer: {json} is not a usable tokenizer.json: model is a model of the type WordPiece, which is not supported; give the one that belongs to the model, or its tokenizer.model.\n"), (refused.Code, refused.Errors));
    }

    private string Write(string name, bool asJson)
    {
        var folder = TinyModel.Write(Path.Combine(_folder, name));
        File.Delete(Path.Combine(folder, "tokenizer.model"));
        if (!asJson)
            File.Copy(_pairs, Path.Combine(folder, "tokenizer.model"));
        else
        {
            foreach (var (file, bytes) in HuggingFaceTokenizerFiles.Make(_pairs))
                File.WriteAllBytes(Path.Combine(folder, file), bytes);
        }
        return folder;
    }

    private static async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        var (output, errors) = (new StringWriter(), new StringWriter());
        var code = await CommandLine.RunAsync(Root.Create(), arguments, output, errors);
        return (code, output.ToString(), errors.ToString());
    }
}
