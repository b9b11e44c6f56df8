using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Streaming.Hosting.Tests.Control;

namespace Streaming.Hosting.Tests.Live;

/// <summary>Clients that behave badly, against a real run. What they cost is measured by <c>benchmarks/bad_clients.py</c>.</summary>
public sealed class UndisturbedSpec(RealRun run) : IClassFixture<RealRun>
{
    [Fact]
    public async Task Beside_a_thousand_idle_connections_and_clients_that_never_read_it_trains_on_and_everybody_else_is_served()
    {
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

            for (var (step, round) = (await StepAsync(), 0); round < 3; round++)
            {
                var until = DateTime.UtcNow + TimeSpan.FromSeconds(60);
                while (await StepAsync() < step + 20)
                {
                    Assert.True(DateTime.UtcNow < until, $"the training stands at step {await StepAsync()}");
                    await Task.Delay(20, TestContext.Current.CancellationToken);
                }
                step = await StepAsync();
                Assert.Contains("streaming_step ", await run.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken), StringComparison.Ordinal);
                Assert.Contains("<html", await run.Client.GetStringAsync("/", TestContext.Current.CancellationToken), StringComparison.Ordinal);
            }
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

    private async Task<long> StepAsync() =>
        JsonDocument.Parse(await run.Client.GetStringAsync("/api/status", TestContext.Current.CancellationToken)).RootElement.GetProperty("step").GetInt64();

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", run.Client.BaseAddress!.Port);
        return socket;
    }
}
