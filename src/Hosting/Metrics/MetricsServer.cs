using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Prometheus;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Http;

namespace Streaming.Hosting.Metrics;

/// <summary>
/// Serves <c>/metrics</c> (Prometheus' text format), <c>/health/live</c> and <c>/health/ready</c> (200, or 503 with the
/// reason). Starts before the run and stops after it.
/// </summary>
internal sealed class MetricsServer(MetricsOptions options, CollectorRegistry registry, RunHealth health, params IEnumerable<IEndpoints> more) : IHostedService
{
    private HttpHost? _host;

    /// <summary>Where it listens, for people and tests; null before the start and where it is off.</summary>
    public Uri? Address => _host?.Address;

    /// <exception cref="UserErrorException">The port is in use, or the address is not this machine's.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!options.Enabled)
            return;
        var endpoint = new HttpEndpoint(
            options.Host, options.Port, Keys.MetricsHost.Path, Keys.MetricsPort.Path,
            $"set {Keys.MetricsPort.Path} to a free one (0 takes any), or {Keys.MetricsEnabled.Path} to false");
        _host = await HttpHost.StartAsync(endpoint, Map, cancellationToken).ConfigureAwait(false);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_host is null)
            return;
        foreach (var endpoints in more)
            endpoints.Close();
        await _host.StopAsync(cancellationToken).ConfigureAwait(false);
        await _host.DisposeAsync().ConfigureAwait(false);
    }

    private void Map(WebApplication application)
    {
        // What no route answers is told in the same form.
        application.UseStatusCodePages(context => Problems.WriteAsync(context.HttpContext, context.HttpContext.Response.StatusCode, context.HttpContext.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound => "there is no such path; /openapi.json lists them",
            StatusCodes.Status405MethodNotAllowed => $"this path takes {context.HttpContext.Response.Headers.Allow}",
            _ => "the request is not understood",
        }));
        application.MapMetrics("/metrics", registry);
        foreach (var endpoints in more)
            endpoints.Map(application);
        application.MapRead("/health/live", context => AnswerAsync(context, health.Live));
        application.MapRead("/health/ready", context => AnswerAsync(context, health.Ready));
    }

    private Task AnswerAsync(HttpContext context, bool well) =>
        Results.Text(health.State + "\n", statusCode: well ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable).ExecuteAsync(context);
}
