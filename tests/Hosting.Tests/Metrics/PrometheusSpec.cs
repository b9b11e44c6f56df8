using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using Streaming.Hosting.Tests.Control;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Metrics;

/// <summary>A real Prometheus scrapes a real run: every panel of every dashboard has data, and the alerts are what they should be.</summary>
public sealed class PrometheusSpec : IAsyncLifetime
{
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(60);
    private static readonly string _grafana = Path.Combine(ReferenceData.RepositoryRoot, "grafana");
    private readonly string _folder = Directory.CreateTempSubdirectory("prometheus-").FullName;
    private readonly RealRun _run = new() { More = ["metrics.gpus=all", "training.eval-steps=20", "training.save-steps=40"] };

    public async ValueTask InitializeAsync()
    {
        if (Find("prometheus") is null || Find("promtool") is null)
            Assert.Skip("Prometheus is not installed (apt-get install prometheus)");
        LoadDriver();
        await _run.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _run.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Every_panel_of_every_dashboard_has_data_and_a_run_that_is_well_fires_no_alert()
    {
        var text = await _run.Client.GetStringAsync("/metrics", Cancellation);
        var (code, said) = await RunAsync("promtool", ["check", "metrics"], text);
        Assert.True(code == 0 && said.Trim().Length == 0, said);

        var port = FreePort();
        await File.WriteAllTextAsync(Path.Combine(_folder, "prometheus.yml"), $"""
            global: {"{scrape_interval: 1s, evaluation_interval: 1s}"}
            rule_files: ["{Path.Combine(_grafana, "prometheus", "alerts.yml")}"]
            scrape_configs:
              - job_name: streaming
                static_configs: [{"{"}targets: ["127.0.0.1:{_run.Client.BaseAddress!.Port}"]{"}"}]
            """, Cancellation);
        using var prometheus = Process.Start(new ProcessStartInfo("prometheus",
            [$"--config.file={_folder}/prometheus.yml", $"--storage.tsdb.path={_folder}/data", $"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]))!;
        try
        {
            using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
            await UntilAsync(async () => await CountAsync(client, "count_over_time(streaming_steps_total[1m]) > 7 and on () streaming_evaluations_total > 0 and on () streaming_checkpoints_total > 0") > 0);
            var panels = Panels().ToList();
            Assert.True(panels.Count > 60, $"{panels.Count} queries");
            var empty = new List<string>();
            foreach (var (board, panel, expression) in panels)
            {
                // Nothing fires; were there a row for that, the table would always have it.
                if (await CountAsync(client, expression) == 0 && panel != "Alerts")
                    empty.Add($"{board}, {panel}: {expression}");
            }
            Assert.True(empty.Count == 0, string.Join('\n', empty));
            foreach (var annotation in Annotations())
                await CountAsync(client, annotation); // there may be none, but Prometheus must understand the question
            Assert.Equal(0, await CountAsync(client, "ALERTS{alertstate=\"firing\"}"));
        }
        finally
        {
            prometheus.Kill();
            await prometheus.WaitForExitAsync(Cancellation);
        }
    }

    [Fact]
    public async Task The_scrape_configuration_and_the_alerts_are_what_Prometheus_takes_and_their_tests_pass()
    {
        var (code, said) = await RunAsync("promtool", ["check", "config", Path.Combine(_grafana, "prometheus", "prometheus.yml")]);
        Assert.True(code == 0, said);
        (code, said) = await RunAsync("promtool", ["test", "rules", Path.Combine(_grafana, "prometheus", "alerts.test.yml")]);
        Assert.True(code == 0, said);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The queries as Grafana sends them, its variables replaced.</summary>
    private static IEnumerable<(string Board, string Panel, string Expression)> Panels() =>
        from board in Boards()
        from panel in board.Json.GetProperty("panels").EnumerateArray()
        where panel.TryGetProperty("targets", out _)
        from target in panel.GetProperty("targets").EnumerateArray()
        select (board.Name, panel.GetProperty("title").GetString()!, Expression(target));

    private static IEnumerable<string> Annotations() =>
        from board in Boards()
        from annotation in board.Json.GetProperty("annotations").GetProperty("list").EnumerateArray()
        select Expression(annotation.GetProperty("target"));

    private static IEnumerable<(string Name, JsonElement Json)> Boards() =>
        Directory.GetFiles(Path.Combine(_grafana, "dashboards"), "*.json").Select(file => (Path.GetFileName(file), JsonDocument.Parse(File.ReadAllText(file)).RootElement));

    private static string Expression(JsonElement target) => target.GetProperty("expr").GetString()!
        .Replace("$__rate_interval", "10s", StringComparison.Ordinal).Replace("$__interval", "10s", StringComparison.Ordinal).Replace("$instance", ".*", StringComparison.Ordinal);

    private static async Task<int> CountAsync(HttpClient prometheus, string expression)
    {
        using var answer = await prometheus.GetAsync($"api/v1/query?query={Uri.EscapeDataString(expression)}", Cancellation);
        if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
            throw new HttpRequestException("Prometheus is starting"); // its words are no JSON then
        var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancellation)).RootElement;
        Assert.True(json.GetProperty("status").GetString() == "success", $"{expression}: {json}");
        var samples = json.GetProperty("data").GetProperty("result").EnumerateArray();
        return samples.Count(sample => double.IsFinite(double.Parse(sample.GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture)));
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var until = DateTime.UtcNow + _limit;
        while (true)
        {
            try
            {
                if (await condition())
                    return;
            }
            catch (HttpRequestException) when (DateTime.UtcNow < until)
            {
                // It is starting.
            }
            Assert.True(DateTime.UtcNow < until, "Prometheus has not scraped the run");
            await Task.Delay(200, Cancellation);
        }
    }

    private static async Task<(int Code, string Said)> RunAsync(string program, IEnumerable<string> arguments, string? input = null)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var said = process.StandardOutput.ReadToEndAsync(Cancellation);
        var errors = process.StandardError.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        return (process.ExitCode, input is null ? await said + await errors : await errors);
    }

    /// <summary>
    /// On a machine without NVIDIA's driver a library of the same name and functions stands in for it, so that the GPU's panels
    /// have data too; the numbers are made up, the way to them is the real one.
    /// </summary>
    private void LoadDriver()
    {
        if (NativeLibrary.TryLoad("libnvidia-ml.so.1", out _))
            return;
        if (Find("g++") is null)
            Assert.Skip("there is neither NVIDIA's driver nor g++ to make a stand-in for it");
        var source = Path.Combine(ReferenceData.RepositoryRoot, "tests", "Hosting.Tests", "Metrics", "nvml_stand_in.cpp");
        var library = Path.Combine(_folder, "libnvidia-ml.so.1");
        using var compiler = Process.Start("g++", ["-shared", "-fPIC", "-O1", "-Wl,-soname,libnvidia-ml.so.1", "-o", library, source]);
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
        NativeLibrary.Load(library);
    }

    private static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
