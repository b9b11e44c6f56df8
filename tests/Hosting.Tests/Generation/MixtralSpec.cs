using System.Text.Json;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Tests.Commands;
using Streaming.Model;
using Streaming.Model.Safetensors;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Generation;

/// <summary>A mixture of experts from the first step to its export, by the commands that a user types.</summary>
public sealed class MixtralSpec : IDisposable
{
    private static readonly string _config = Path.Combine(ReferenceData.RepositoryRoot, "models", "mixtral-sample", "config.json");

    private readonly string _folder = Directory.CreateTempSubdirectory("mixtral-run-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task It_trains_goes_on_from_its_checkpoint_generates_is_evaluated_and_exported()
    {
        Assert.Equal(0, (await Train(steps: 2)).Code);
        Assert.Equal(0, (await Train(steps: 4)).Code); // from the checkpoint of step 2
        var latest = Path.Combine(_folder, "run", "checkpoints", "latest");
        Assert.Equal(MistralConfig.Load(_config), MistralConfig.Load(latest));
        using (var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(latest, "config.json"))))
            Assert.Equal("MixtralForCausalLM", config.RootElement.GetProperty("architectures")[0].GetString());
        using (var weights = SafetensorsWeights.Open(latest))
        {
            Assert.Contains("model.layers.3.block_sparse_moe.experts.3.w2.weight", weights.Names);
            Assert.Equal([4, 128], weights.Find("model.layers.0.block_sparse_moe.gate.weight")!.Shape);
        }

        string[] greedy = ["--prompt", "日本の", "--greedy", "--max-new-tokens", "8", "--ignore-eos", "--threads", "1"];
        var text = await Run(["generate", "--model", Path.Combine(_folder, "run"), .. greedy]);
        Assert.Equal((0, ""), (text.Code, text.Errors));
        var export = Path.Combine(_folder, "export");
        Assert.Equal(0, (await Run("export", "--model", Path.Combine(_folder, "run"), "--output", export, "--dtype", "float32", "--max-shard-size", "1MB")).Code);
        Assert.Equal(text.Output, (await Run(["generate", "--model", export, .. greedy])).Output);

        var loss = await Run("evaluate", "--model", export, "--source", Path.Combine(ReferenceData.RepositoryRoot, "samples", "corpus-ja.txt"), "--max-batches", "1", "--set", "data.block-size=64", "--set", "training.per-device-train-batch-size=2");
        Assert.Equal(0, loss.Code);
        Assert.Matches("perplexity", loss.Output);
    }

    [Fact]
    public async Task As_GGUF_each_layer_has_its_experts_matrices_in_one_tensor()
    {
        Assert.Equal(0, (await Train(steps: 1)).Code);
        var path = Path.Combine(_folder, "m.gguf");
        Assert.Equal(0, (await Run("export", "--model", Path.Combine(_folder, "run"), "--output", path, "--format", "gguf", "--dtype", "float32")).Code);
        var (metadata, tensors) = Gguf.Read(path);
        using var weights = SafetensorsWeights.Open(Path.Combine(_folder, "run", "checkpoints", "latest"));
        float[] Floats(string name)
        {
            var values = new float[weights.Find(name)!.Count];
            weights.Read(name, values);
            return values;
        }
        Assert.Equal(MistralConfig.Load(_config).Experts!.Count, (int)(uint)metadata["llama.expert_count"]);
        Assert.Equal(2u, metadata["llama.expert_used_count"]);
        foreach (var (name, matrix) in new[] { ("ffn_gate_exps", "w1"), ("ffn_down_exps", "w2"), ("ffn_up_exps", "w3") })
        {
            float[] expected = [.. Enumerable.Range(0, (int)(uint)metadata["llama.expert_count"]).SelectMany(expert => Floats($"model.layers.1.block_sparse_moe.experts.{expert}.{matrix}.weight"))];
            Assert.Equal(expected, tensors[$"blk.1.{name}.weight"]);
        }
        Assert.Equal(Floats("model.layers.0.block_sparse_moe.gate.weight"), tensors["blk.0.ffn_gate_inp.weight"]);
    }

    [Fact]
    public async Task What_it_cannot_be_is_one_sentence()
    {
        var plan = await Run("plan", "--set", $"model.config={_config}");
        Assert.NotEqual(0, plan.Code);
        Assert.Contains("the fused kernels compute no mixture of experts (MixtralForCausalLM)", plan.Errors);
        Assert.Equal(1, plan.Errors.Count(character => character == '\n'));
    }

    private Task<(int Code, string Output, string Errors)> Train(int steps) => Run(
        "train", "--set", $"run.directory={_folder}/run", "--set", $"model.config={_config}", "--set", "data.block-size=32", "--set", $"training.max-steps={steps}",
        "--set", "training.per-device-train-batch-size=2", "--set", "training.eval-steps=0", "--set", "training.eval-batches=1", "--set", "metrics.enabled=false", "--set", "sample.max-new-tokens=4");

    private static async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        var (output, errors) = (new StringWriter(), new StringWriter());
        var code = await CommandLine.RunAsync(Root.Create(), arguments, output, errors);
        return (code, output.ToString(), errors.ToString());
    }
}
