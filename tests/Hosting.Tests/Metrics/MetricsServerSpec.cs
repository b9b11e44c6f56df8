using System.Net;
using System.Net.Sockets;
using Prometheus;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Metrics;

namespace Streaming.Hosting.Tests.Metrics;

public sealed class MetricsServerSpec
{
    private static readonly CancellationToken _never = CancellationToken.None;
    private readonly CollectorRegistry _registry = Prometheus.Metrics.NewCustomRegistry();
    private readonly RunHealth _health = new();

    [Fact]
    public async Task A_run_is_seen_over_HTTP_from_its_start_to_its_end()
    {
        var clock = new ManualClock();
        var metrics = new RunMetrics(_registry, clock);
        var server = new MetricsServer(new MetricsOptions(true, "127.0.0.1", 0), _registry, _health);
        await server.StartAsync(_never);
        using var client = new HttpClient { BaseAddress = server.Address };

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/health/live", _never)).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.GetAsync("/health/ready", _never)).StatusCode);
        var early = await client.GetStringAsync("/metrics", _never);
        Assert.All(["step", "loss", "learning_rate", "evaluation_loss", "last_step_timestamp_seconds", "checkpoint_size_bytes", "checkpoint_age_seconds"],
            unknown => Assert.DoesNotContain($"\nstreaming_{unknown} ", early, StringComparison.Ordinal));
        Assert.Contains("\nstreaming_steps_total 0\n", early, StringComparison.Ordinal);

        RunProtocol.IEvent[] events =
        [
            new RunProtocol.Started("/runs/x", "reference", 1000, 4, 400, 10, null),
            new TrainerProtocol.StepCompleted(5, 2.5f, 0.75f, 1e-3, 100, 500, TimeSpan.FromSeconds(0.3), TimeSpan.FromSeconds(0.1), 7, Skipped: false),
            new TrainerProtocol.EvaluationCompleted(5, Math.Log(16), 4, TimeSpan.FromSeconds(1)),
        ];
        foreach (var happened in events)
        {
            metrics.Observe(happened);
            _health.Observe(happened);
        }
        clock.Advance(TimeSpan.FromSeconds(12));

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/health/ready", _never)).StatusCode);
        var lines = (await client.GetStringAsync("/metrics", _never)).Split('\n');
        Assert.Contains("streaming_step 5", lines);
        Assert.Contains("streaming_loss 2.5", lines);
        Assert.Contains("streaming_learning_rate 0.001", lines);
        Assert.Contains("streaming_gradient_norm 0.75", lines);
        Assert.Contains("streaming_tokens_total 100", lines);
        Assert.Contains("streaming_steps_total 1", lines);
        Assert.Contains("streaming_step_duration_seconds_sum 0.3", lines);
        Assert.Contains("streaming_data_wait_seconds_total 0.1", lines);
        Assert.Contains("streaming_checkpoint_age_seconds 12", lines);
        Assert.Contains(lines, l => l.StartsWith("streaming_evaluation_perplexity 16", StringComparison.Ordinal) || l.StartsWith("streaming_evaluation_perplexity 15.99", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("streaming_build_info{version=", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, l => l.StartsWith("microsoft_", StringComparison.Ordinal) || l.StartsWith("system_", StringComparison.Ordinal));

        metrics.Observe(new CheckpointProtocol.Written(5, "/runs/x/checkpoints/step-00000005", 9, TimeSpan.FromSeconds(1)));
        _health.Observe(new RunProtocol.Ended(new RunOutcome.Failed("the disk is full", 1, null)));
        Assert.Contains("streaming_checkpoint_age_seconds 0", (await client.GetStringAsync("/metrics", _never)).Split('\n'));
        var live = await client.GetAsync("/health/live", _never);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, live.StatusCode);
        Assert.Equal("the disk is full\n", await live.Content.ReadAsStringAsync(_never));
        await server.StopAsync(_never);
    }

    [Fact]
    public async Task After_a_restart_the_last_evaluation_is_still_known()
    {
        var metrics = new RunMetrics(_registry, new ManualClock());
        metrics.Observe(new RunProtocol.Started("/runs/x", "reference", 1000, 4, 400, 10, null, EvaluationLoss: 2.5));
        using var text = new MemoryStream();
        await _registry.CollectAndExportAsTextAsync(text, _never);
        var lines = System.Text.Encoding.UTF8.GetString(text.ToArray()).Split('\n');
        Assert.Contains("streaming_evaluation_loss 2.5", lines);
        Assert.Contains(lines, line => line.StartsWith("streaming_evaluation_perplexity 12.18", StringComparison.Ordinal));
        Assert.Contains("streaming_evaluations_total 0", lines);
    }

    [Fact]
    public async Task A_port_in_use_is_one_sentence_with_the_key_and_the_remedy()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        var server = new MetricsServer(new MetricsOptions(true, "127.0.0.1", port), _registry, _health);
        var mistake = await Assert.ThrowsAsync<UserErrorException>(() => server.StartAsync(_never));
        Assert.Equal([$"streaming.metrics.port = {port} is in use by another program; set streaming.metrics.port to a free one (0 takes any), or streaming.metrics.enabled to false."], mistake.Sentences);
        Assert.Equal(2, mistake.ExitCode);
    }

    [Fact]
    public async Task An_address_of_another_machine_is_one_sentence()
    {
        var server = new MetricsServer(new MetricsOptions(true, "192.0.2.1", 0), _registry, _health); // TEST-NET-1, never assigned
        var mistake = await Assert.ThrowsAsync<UserErrorException>(() => server.StartAsync(_never));
        Assert.StartsWith("streaming.metrics.host = 192.0.2.1 is no address of this machine;", Assert.Single(mistake.Sentences));
    }

    [Fact]
    public async Task Switched_off_it_listens_nowhere()
    {
        var server = new MetricsServer(new MetricsOptions(false, "127.0.0.1", 0), _registry, _health);
        await server.StartAsync(_never);
        Assert.Null(server.Address);
        await server.StopAsync(_never);
    }

    private sealed class ManualClock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan time) => _now += time.Ticks;
    }
}
