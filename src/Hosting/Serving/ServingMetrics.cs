using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Prometheus;

namespace Streaming.Hosting.Serving;

/// <summary>What a server tells Prometheus, under <c>/metrics</c>.</summary>
internal sealed class ServingMetrics
{
    private readonly CollectorRegistry _registry = Prometheus.Metrics.NewCustomRegistry();
    private readonly Counter _requests;
    private readonly Histogram _firstToken;

    public ServingMetrics(ModelHub hub)
    {
        var factory = Prometheus.Metrics.WithCustomRegistry(_registry);
        _requests = factory.CreateCounter("streaming_serving_requests_total", "Requests answered.", "path", "code");
        _firstToken = factory.CreateHistogram("streaming_serving_first_token_seconds", "From a request to its first token.",
            new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.001, 2, 16) });
        var pending = factory.CreateGauge("streaming_serving_texts", "Texts that run or wait.");
        var generated = factory.CreateCounter("streaming_serving_generated_tokens_total", "Tokens generated.");
        var prompts = factory.CreateCounter("streaming_serving_prompt_tokens_total", "Tokens of prompts read; those whose keys and values were at hand are not read again.");
        _registry.AddBeforeCollectCallback(() =>
        {
            pending.Set(hub.Current.Pending);
            var tokens = hub.Tokens;
            generated.IncTo(tokens.Generated);
            prompts.IncTo(tokens.Prompts);
        });
    }

    public void Map(WebApplication application) => application.MapMetrics("/metrics", _registry);

    public Arrival Receive() => new(_firstToken, Stopwatch.GetTimestamp());

    public void Answer(HttpContext context, int status)
    {
        // Only paths that exist: a label for each that somebody tries would have no end.
        var path = context.Request.Path.Value is "/v1/completions" or "/v1/chat/completions" or "/v1/models" ? context.Request.Path.Value : "other";
        _requests.WithLabels(path, status.ToString(CultureInfo.InvariantCulture)).Inc();
    }

    /// <summary>A request on its way to its first token.</summary>
    public sealed class Arrival(Histogram firstToken, long at)
    {
        private bool _seen;

        public void FirstToken()
        {
            if (_seen)
                return;
            _seen = true;
            firstToken.Observe(Stopwatch.GetElapsedTime(at).TotalSeconds);
        }
    }
}
