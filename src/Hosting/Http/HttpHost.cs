using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Http;

/// <summary>
/// A small Kestrel beside something more important: no logs, no configuration of its own, no signals, and limits under which
/// slow, silent or countless clients cost next to nothing.
/// </summary>
internal sealed class HttpHost : IAsyncDisposable
{
    private const int MaxConnections = 4096;
    private const long MaxRequestBytes = 1 << 20;

    private readonly WebApplication _application;

    private HttpHost(WebApplication application, Uri address)
    {
        _application = application;
        Address = address;
    }

    /// <summary>Where it listens, for people and tests.</summary>
    public Uri Address { get; }

    /// <param name="endpoint">Where to listen.</param>
    /// <param name="map">Adds middleware and routes.</param>
    /// <param name="cancellation">Ends the start.</param>
    /// <exception cref="UserErrorException">The port is in use, or the address is not this machine's.</exception>
    public static async Task<HttpHost> StartAsync(HttpEndpoint endpoint, Action<WebApplication> map, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2)); // open streams do not hold the process
        builder.WebHost.ConfigureKestrel(kestrel => Configure(kestrel, endpoint));
        var application = builder.Build();
        map(application);
        try
        {
            await application.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or SocketException)
        {
            await application.DisposeAsync().ConfigureAwait(false);
            throw new UserErrorException(Explain(failure, endpoint));
        }
        var address = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new HttpHost(application, new Uri(address.Replace("//[::]:", "//localhost:", StringComparison.Ordinal).Replace("//0.0.0.0:", "//localhost:", StringComparison.Ordinal)));
    }

    public Task StopAsync(CancellationToken cancellation) => _application.StopAsync(cancellation);

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private static void Configure(KestrelServerOptions kestrel, HttpEndpoint endpoint)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = MaxConnections;
        kestrel.Limits.MaxRequestBodySize = MaxRequestBytes;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        switch (endpoint.Host)
        {
            case "*":
                kestrel.ListenAnyIP(endpoint.Port);
                break;
            case "localhost" when endpoint.Port != 0:
                kestrel.ListenLocalhost(endpoint.Port);
                break;
            default:
                kestrel.Listen(endpoint.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(endpoint.Host), endpoint.Port);
                break;
        }
    }

    private static string Explain(Exception failure, HttpEndpoint endpoint)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is SocketException { SocketErrorCode: SocketError.AddressNotAvailable })
                return $"{endpoint.HostName} = {endpoint.Host} is no address of this machine; 127.0.0.1 serves this machine alone, \"*\" every address.";
            if (cause is SocketException { SocketErrorCode: SocketError.AccessDenied })
                return $"{endpoint.PortName} = {endpoint.Port} may not be opened by this user; {endpoint.Remedy}.";
        }
        return failure.InnerException is AddressInUseException
            ? $"{endpoint.PortName} = {endpoint.Port} is in use by another program; {endpoint.Remedy}."
            : $"{endpoint.HostName} = {endpoint.Host}, {endpoint.PortName} = {endpoint.Port} cannot be opened: {failure.Message.TrimEnd('.')}; {endpoint.Remedy}.";
    }

    /// <summary>Signals belong to whoever serves, not to this small server.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
