using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Metrics;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Terminal;
using Streaming.Model.Libtorch;

namespace Streaming.Hosting.Tests.Control;

/// <summary>A real run in a real host, as <c>streaming train</c> makes it, on a free port, small and endless.</summary>
public sealed class RealRun : IAsyncLifetime
{
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(60);
    private readonly StringWriter _output = new();
    private IHost? _host;

    public string Folder { get; init; } = Directory.CreateTempSubdirectory("run-").FullName;

    /// <summary>For a run that goes on with what this one leaves.</summary>
    public bool KeepsFolder { get; init; }

    internal RunHandle Run { get; } = new();

    public HttpClient Client { get; private set; } = new();

    /// <summary>More settings than those of every such run.</summary>
    public IReadOnlyList<string> More { get; init; } = [];

    public string Output => _output.ToString();

    public async ValueTask InitializeAsync()
    {
        string[] set =
        [
            $"run.directory={Folder}", "metrics.port=0", "metrics.host=\"*\"", "training.max-steps=1000000", "training.eval-steps=0", "training.save-steps=0",
            "data.block-size=32", "training.per-device-train-batch-size=2", "training.learning-rate=1e-3", "training.eval-batches=1", "data.workers=2", "metrics.peak-teraflops=0.1",
            .. More,
        ];
        var settings = SettingsLoader.Load(null, [.. set.Select(text => new Assignment(text))], _ => null);
        LibtorchRuntime.Load();
        TorchSharp.torch.set_num_threads(1);
        var screen = new Screen(_output, _output, null);
        _host = TrainHost.Build(settings, RunOptionsBuilder.Build(settings), Run, screen, [], new TaskCompletionSource());
        await _host.StartAsync();
        Client = new HttpClient { BaseAddress = _host.Services.GetRequiredService<MetricsServer>().Address };
        await SeeAsync(status => status.Contains("\"state\":\"training\"", StringComparison.Ordinal) && status.Contains("\"loss\":", StringComparison.Ordinal));
    }

    /// <summary>Waits until the status says something.</summary>
    public async Task<string> SeeAsync(Predicate<string> wanted)
    {
        var until = DateTime.UtcNow + _limit;
        while (true)
        {
            var status = await Client.GetStringAsync("/api/status");
            if (wanted(status))
                return status;
            Assert.True(DateTime.UtcNow < until, $"the status did not come: {status}\n{Output}");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (_host is not null)
        {
            Run.RequestStop(StopSignal.Terminate);
            await Run.Outcome.WaitAsync(_limit);
            await _host.StopAsync();
            _host.Dispose();
        }
        if (!KeepsFolder)
            Directory.Delete(Folder, recursive: true);
    }
}
