using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Streaming.Hosting.Tests.Control;

namespace Streaming.Hosting.Tests.Live;

/// <summary>Clients that behave badly, against a real run: it trains on, and the others are served.</summary>
public sealed class UndisturbedSpec(RealRun run) : IClassFixture<RealRun>
{
    [Fact]
    public async Task A_thousand_idle_connections_clients_that_never_read_and_a_scrape_a_second_do_not_slow_the_training()
    {
        var quiet = await CostOfAStepAsync();
        var sockets = new List<Socket>();
        try
        {
            for (var count = 0; count < 1000; count++)
                sockets.Add(await ConnectAsync());
            for (var count = 0; count < 20; count++)
            {
                var deaf = await ConnectAsync();
                sockets.Add(deaf);
                await deaf.SendAsync(Encoding.ASCII.GetBytes("GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            }
            var half = await ConnectAsync();
            sockets.Add(half);
            await half.SendAsync(Encoding.ASCII.GetBytes("POST /api/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"));
            await run.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
            var busy = await CostOfAStepAsync(scrape: true);

            // Processor time of a step, not wall time: other work on this machine must not decide the test.
            Assert.True(busy < 1.5 * quiet + 0.002, $"a step took {quiet * 1e3:F2} ms of processor time alone and {busy * 1e3:F2} ms beside 1,021 connections");
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    [Fact]
    public async Task A_sixty_fifth_page_is_told_to_come_again()
    {
        var streams = new List<HttpResponseMessage>();
        try
        {
            for (var count = 0; count < 65; count++)
                streams.Add(await run.Client.GetAsync("/api/stream", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken));
            Assert.Equal(503, (int)streams.Max(answer => answer.StatusCode));
        }
        finally
        {
            streams.ForEach(answer => answer.Dispose());
        }
    }

    private async Task<double> CostOfAStepAsync(bool scrape = false)
    {
        var (step, processor) = (await StepAsync(), Environment.CpuUsage.TotalTime);
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < TimeSpan.FromSeconds(4))
        {
            if (scrape)
                await run.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
            await Task.Delay(1000, TestContext.Current.CancellationToken);
        }
        return (Environment.CpuUsage.TotalTime - processor).TotalSeconds / (await StepAsync() - step);
    }

    private async Task<long> StepAsync() =>
        JsonDocument.Parse(await run.Client.GetStringAsync("/api/status", TestContext.Current.CancellationToken)).RootElement.GetProperty("step").GetInt64();

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", run.Client.BaseAddress!.Port);
        return socket;
    }
}
