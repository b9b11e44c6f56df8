using Prometheus;
using Streaming.Actors;
using Streaming.Hosting.Runs;
using Streaming.Streams.Measurement;

namespace Streaming.Hosting.Metrics;

/// <summary>What the text path loses on its way, as Prometheus sees it; read from its counters when Prometheus asks.</summary>
internal sealed class TextMetrics : IRunObserver
{
    private readonly Counter _dropped;
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Source, string Reason), long> _before = [];
    private PipelineStatistics? _text;

    public TextMetrics(CollectorRegistry registry)
    {
        _dropped = Prometheus.Metrics.WithCustomRegistry(registry).CreateCounter(
            "streaming_text_dropped_total",
            "Lines of the training text that did not become tokens, by the reason (docs/cleaning.md); under unreadable-record JSON lines, rows and pages that hold no text.",
            "source", "reason");
        registry.AddBeforeCollectCallback(Collect);
    }

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not PipelineProtocol.TextOpened opened)
            return;
        lock (_lock)
        {
            // After a rollback the text is opened anew and counts from 0; a counter never goes back.
            foreach (var (source, reason, lines) in Read(_text))
                _before[(source, reason)] = _before.GetValueOrDefault((source, reason)) + lines;
            _text = opened.Statistics;
        }
    }

    private void Collect()
    {
        lock (_lock)
            foreach (var (source, reason, lines) in Read(_text))
                _dropped.WithLabels(source, reason).IncTo(_before.GetValueOrDefault((source, reason)) + lines);
    }

    /// <summary>What has occurred, and unreadable records in any case, so that an alert sees their first one.</summary>
    private static IEnumerable<(string Source, string Reason, long Lines)> Read(PipelineStatistics? text) =>
        from source in text?.Sources ?? []
        from dropped in source.Dropped
        where dropped.Lines > 0 || dropped.Reason == SourceStatistics.UnreadableRecord
        select (source.Name, dropped.Reason, dropped.Lines);
}
