using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Streaming.Hosting.Http;
using Streaming.Hosting.Serving;
using Streaming.Hosting.Tests.Generation;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Tests.Serving;

/// <summary>A server over a run's folder with one checkpoint, and a client of it.</summary>
internal sealed class ServedModel : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("serve-").FullName;
    private HttpHost? _server;

    private ServedModel(ServeOptions options, InstructionTemplate? template)
    {
        AddCheckpoint("step-00000001", seed: 1);
        foreach (var (name, bytes) in InstructionFiles.Make(template))
            File.WriteAllBytes(Path.Combine(_folder, "checkpoints", "step-00000001", name), bytes);
        Hub = new ModelHub(options with { ModelPath = _folder, WatchInterval = null, Compute = new(Device: "cpu", Threads: 1) }, Notices.Add);
    }

    public ModelHub Hub { get; }
    public List<string> Notices { get; } = [];
    public HttpClient Client { get; } = new() { Timeout = TimeSpan.FromSeconds(60) };

    /// <param name="options">How it is served; the folder is the test's.</param>
    /// <param name="template">How the model says that it was tuned; null says nothing.</param>
    public static async Task<ServedModel> StartAsync(ServeOptions? options = null, InstructionTemplate? template = null)
    {
        var served = new ServedModel(options ?? new ServeOptions { ModelPath = "", Name = "tiny" }, template);
        served.Hub.Start();
        served._server = await HttpHost.StartAsync(
            new HttpEndpoint("127.0.0.1", 0, "--host", "--port", ""), new OpenAiApi(served.Hub, new ServingMetrics(served.Hub)).Map, CancellationToken.None);
        served.Client.BaseAddress = served._server.Address;
        return served;
    }

    /// <summary>Writes a checkpoint and points <c>latest</c> at it.</summary>
    public void AddCheckpoint(string name, int seed)
    {
        var checkpoints = Path.Combine(_folder, "checkpoints");
        TinyModel.Write(Path.Combine(checkpoints, name), seed);
        var latest = Path.Combine(checkpoints, "latest");
        if (Directory.Exists(latest))
            Directory.Delete(latest);
        Directory.CreateSymbolicLink(latest, name);
    }

    public void Damage(string name)
    {
        using var file = File.OpenWrite(Path.Combine(_folder, "checkpoints", name, "model.safetensors"));
        file.SetLength(1000);
    }

    public async Task<(HttpStatusCode Status, JsonNode Answer)> PostAsync(string path, string body)
    {
        using var answer = await Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        return (answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!);
    }

    /// <summary>The chunks of a stream, as they come.</summary>
    public async IAsyncEnumerable<JsonNode> StreamAsync(string path, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        using var answer = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line == "data: [DONE]")
                yield break;
            if (line.Length > 0)
                yield return JsonNode.Parse(line["data: ".Length..])!;
        }
        Assert.Fail("the stream ended without [DONE]");
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Hub.DisposeAsync();
        await _server!.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
