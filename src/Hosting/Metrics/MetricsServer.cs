using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Prometheus;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Metrics;

/// <summary>
/// Serves <c>/metrics</c> (Prometheus' text format), <c>/health/live</c> and <c>/health/ready</c> (200, or 503 with the
/// reason). Starts before the run and stops after it.
/// </summary>
internal sealed class MetricsServer(MetricsOptions options, CollectorRegistry registry, RunHealth health) : IHostedService
{
    private WebApplication? _application;

    /// <summary>Where it listens, for people and tests; null before the start and where it is off.</summary>
    public Uri? Address { get; private set; }

    /// <exception cref="UserErrorException">The port is in use, or the address is not this machine's.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!options.Enabled)
            return;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            switch (options.Host)
            {
                case "*":
                    kestrel.ListenAnyIP(options.Port);
                    break;
                case "localhost" when options.Port != 0:
                    kestrel.ListenLocalhost(options.Port);
                    break;
                default:
                    kestrel.Listen(options.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(options.Host), options.Port);
                    break;
            }
        });
        var application = builder.Build();
        application.MapMetrics("/metrics", registry);
        application.MapGet("/health/live", () => Answer(health.Live));
        application.MapGet("/health/ready", () => Answer(health.Ready));
        try
        {
            await application.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or SocketException)
        {
            await application.DisposeAsync().ConfigureAwait(false);
            throw new UserErrorException(Explain(failure));
        }
        _application = application;
        var address = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Address = new Uri(address.Replace("//[::]:", "//localhost:", StringComparison.Ordinal).Replace("//0.0.0.0:", "//localhost:", StringComparison.Ordinal));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_application is null)
            return;
        await _application.StopAsync(cancellationToken).ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }

    private IResult Answer(bool well) => Results.Text(health.State + "\n", statusCode: well ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);

    private string Explain(Exception failure)
    {
        const string OtherPort = "set streaming.metrics.port to a free one (0 takes any), or streaming.metrics.enabled to false";
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is SocketException { SocketErrorCode: SocketError.AddressNotAvailable })
                return $"{Keys.MetricsHost.Path} = {options.Host} is no address of this machine; 127.0.0.1 serves this machine alone, \"*\" every address.";
            if (cause is SocketException { SocketErrorCode: SocketError.AccessDenied })
                return $"{Keys.MetricsPort.Path} = {options.Port} may not be opened by this user; {OtherPort}.";
        }
        return failure.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException
            ? $"{Keys.MetricsPort.Path} = {options.Port} is in use by another program; {OtherPort}."
            : $"{Keys.MetricsHost.Path} = {options.Host}, {Keys.MetricsPort.Path} = {options.Port} cannot be opened: {failure.Message.TrimEnd('.')}; {OtherPort}.";
    }

    /// <summary>Signals belong to the run, not to this small server.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
