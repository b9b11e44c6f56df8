using System.Text;
using System.Text.Json.Nodes;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Http;
using Streaming.Hosting.Serving;
using Streaming.Model.Adapters;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Hosting.Tests.Generation;

/// <summary>Commands on a folder with LoRA adapters alone, as PEFT saves it.</summary>
public sealed class AdapterFoldersSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("adapter-folders-").FullName;

    public AdapterFoldersSpec()
    {
        TinyModel.Write(Base);
        Directory.CreateDirectory(Adapters);
        WriteConfig(Base);
        var lora = new LoraOptions { Rank = 2, Alpha = 4, TargetModules = ["q_proj", "up_proj"] };
        using var file = File.Create(Path.Combine(Adapters, "adapter_model.safetensors"));
        var parameters = AdaptedMatrix.ParametersOf(TinyModel.Config, lora);
        var writer = SafetensorsWriter.Begin(file, parameters.Select(parameter => (parameter.Name, TensorType.F32, parameter.Shape)));
        foreach (var parameter in parameters)
        {
            var values = new float[parameter.Count];
            new GaussianGenerator(3).Fill(values, 0.7);
            writer.Write(values);
        }
        writer.Complete();
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Base => Path.Combine(_folder, "base");

    private string Adapters => Path.Combine(_folder, "adapters");

    private string Merged => Path.Combine(_folder, "merged");

    private void WriteConfig(string @base) => File.WriteAllText(Path.Combine(Adapters, "adapter_config.json"),
        $$"""{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "up_proj"], "base_model_name_or_path": "{{@base}}", "bias": "none", "eva_config": null}""");

    [Fact]
    public async Task Adapters_generate_and_evaluate_as_the_model_that_export_makes_of_them()
    {
        var (code, output, errors) = await Run("export", "--model", Adapters, "--output", Merged, "--dtype", "float32");
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("the adapters merged into their model, ", output, StringComparison.Ordinal);
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors", "special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer.model", "tokenizer_config.json"],
            Directory.GetFiles(Merged).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        var text = await Text(Adapters);
        Assert.Equal(await Text(Merged), text);
        Assert.NotEqual(await Text(Base), text);

        var loss = await Loss(Adapters);
        Assert.Equal(await Loss(Merged), loss);
        Assert.NotEqual(await Loss(Base), loss);
    }

    [Fact]
    public async Task Adapters_are_served_as_the_model_that_export_makes_of_them()
    {
        Assert.Equal(0, (await Run("export", "--model", Adapters, "--output", Merged, "--dtype", "float32")).Code);
        var tuned = await Completion(Adapters);
        Assert.Equal(await Completion(Merged), tuned);
        Assert.NotEqual(await Completion(Base), tuned);

        static async Task<string> Completion(string model)
        {
            var hub = new ModelHub(new ServeOptions { ModelPath = model, Name = "tuned", WatchInterval = null, Compute = new(Device: "cpu", Threads: 1) }, _ => { });
            hub.Start();
            await using var stopped = hub;
            await using var server = await HttpHost.StartAsync(new HttpEndpoint("127.0.0.1", 0, "--host", "--port", ""), new OpenAiApi(hub, new ServingMetrics(hub)).Map, CancellationToken.None);
            using var client = new HttpClient { BaseAddress = server.Address };
            using var answer = await client.PostAsync("/v1/completions", new StringContent("""{"prompt": "日本の", "max_tokens": 20, "temperature": 0}""", Encoding.UTF8, "application/json"));
            var json = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
            Assert.True(answer.IsSuccessStatusCode, json.ToJsonString());
            return json["choices"]![0]!["text"]!.GetValue<string>();
        }
    }

    [Fact]
    public async Task A_base_model_that_is_not_here_is_told_with_what_to_change()
    {
        WriteConfig("mistralai/Mistral-7B-v0.1");
        foreach (var arguments in new string[][] { ["generate", "--prompt", "a"], ["export", "--output", Merged], ["evaluate"] })
        {
            var (code, _, errors) = await Run([arguments[0], "--model", Adapters, .. arguments[1..]]);
            Assert.Equal((2, $"streaming: --model: {Path.Combine(Adapters, "adapter_config.json")} names mistralai/Mistral-7B-v0.1 as the base model, and there is no such folder here: put the model there, or set base_model_name_or_path to where it is.\n"), (code, errors));
        }
    }

    [Fact]
    public async Task Adapters_upon_adapters_are_refused()
    {
        WriteConfig(Adapters);
        var (code, _, errors) = await Run("generate", "--model", Adapters, "--prompt", "a");
        Assert.Equal(2, code);
        Assert.Contains("which holds adapters itself: merge those first, by export", errors, StringComparison.Ordinal);
    }

    private static async Task<string> Text(string model)
    {
        var (code, output, errors) = await Run("generate", "--model", model, "--prompt", "日本の", "--greedy", "--max-new-tokens", "20", "--threads", "1");
        Assert.Equal((0, ""), (code, errors));
        return output;
    }

    private static async Task<string> Loss(string model)
    {
        var (code, output, errors) = await Run("evaluate", "--model", model, "--json", "--max-batches", "1", "--set", "data.block-size=32", "--set", "training.lora.rank=8");
        Assert.Equal((0, ""), (code, errors));
        return System.Text.Json.JsonDocument.Parse(output).RootElement.GetProperty("eval_loss").GetDouble().ToString("F4", System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        using StringWriter output = new(), errors = new();
        return (await CommandLine.RunAsync(Root.Create(), arguments, output, errors), output.ToString(), errors.ToString());
    }
}
