using Prometheus;
using Streaming.Actors;
using Streaming.Hosting.Runs;
using Streaming.Streams.Measurement;

namespace Streaming.Hosting.Metrics;

/// <summary>
/// The text path as Prometheus sees it, read from its counters when Prometheus asks. After a rollback the text is opened anew
/// and counts from 0 again: what it had counted before is added, so that counters never go back.
/// </summary>
internal sealed class PipelineMetrics : IRunObserver
{
    private readonly Lock _lock = new();
    private readonly Counter _batches, _lines, _bytes, _tokens, _busy, _stalled, _sourceTokens, _trainerWait, _invalidBytes, _cutLines;
    private readonly Gauge _epoch, _file, _files, _position, _queueDepth, _queueCapacity;
    private readonly List<(Counter.Child Counter, Func<double> Read)> _counters = [];
    private readonly int _capacity;
    private PipelineStatistics? _text;

    public PipelineMetrics(CollectorRegistry registry, RunOptions options)
    {
        _capacity = options.Data.QueueCapacity;
        var metrics = Prometheus.Metrics.WithCustomRegistry(registry);
        _batches = metrics.CreateCounter("streaming_stage_batches_total", "Batches that left the stage of the text path.", "stage");
        _lines = metrics.CreateCounter("streaming_stage_lines_total", "Lines that came into the stage (read: that it read).", "stage");
        _bytes = metrics.CreateCounter("streaming_stage_bytes_total", "Bytes of the sources, uncompressed, that the stage's work stood for.", "stage");
        _tokens = metrics.CreateCounter("streaming_stage_tokens_total", "Tokens that left the stage.", "stage");
        _busy = metrics.CreateCounter("streaming_stage_busy_seconds_total", "Time at work, summed over the stage's workers.", "stage");
        _stalled = metrics.CreateCounter("streaming_stage_stalled_seconds_total",
            "Time, summed over the sources, that the stage waited for work (upstream) or for its work to be taken (downstream).", "stage", "direction");
        _trainerWait = metrics.CreateCounter("streaming_trainer_wait_seconds_total", "Time that finished batches waited for the trainer: the GPU is the slower side.");
        _queueDepth = metrics.CreateGauge("streaming_queue_depth", "Batches that lie ready for the trainer.");
        _queueCapacity = metrics.CreateGauge("streaming_queue_capacity", "Batches that may lie ready for the trainer.");
        _sourceTokens = metrics.CreateCounter("streaming_source_tokens_total", "Tokens of the source in batches made by this process.", "source");
        _epoch = metrics.CreateGauge("streaming_source_epoch", "Passes over the source that are complete.", "source");
        _file = metrics.CreateGauge("streaming_source_file", "Number of the file, from 1, that the newest batch's text of the source came from.", "source");
        _files = metrics.CreateGauge("streaming_source_files", "Files of the source.", "source");
        _position = metrics.CreateGauge("streaming_source_position_bytes", "Bytes of that file, uncompressed, before the text of the newest batch.", "source");
        _invalidBytes = metrics.CreateCounter("streaming_text_invalid_bytes_total", "Bytes of the sources that are not UTF-8; each sequence became one U+FFFD.");
        _cutLines = metrics.CreateCounter("streaming_text_cut_lines_total", "Lines cut for their length.");
        _queueCapacity.Set(_capacity);
        registry.AddBeforeCollectCallback(Collect);
    }

    /// <summary>The text path that is open; null before the first.</summary>
    public PipelineStatistics? Text => Volatile.Read(ref _text);

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not PipelineProtocol.TextOpened opened)
            return;
        lock (_lock)
        {
            Collect();
            _counters.Clear();
            Volatile.Write(ref _text, opened.Statistics);
            foreach (var stage in opened.Statistics.Stages)
                Add(stage);
            foreach (var source in opened.Statistics.Sources)
                Add(_sourceTokens.WithLabels(source.Name), () => source.Tokens);
            Add(_trainerWait.WithLabels(), () => opened.Statistics.Queue.Waiting.TotalSeconds);
            Add(_invalidBytes.WithLabels(), () => opened.Statistics.InvalidBytes);
            Add(_cutLines.WithLabels(), () => opened.Statistics.CutLines);
        }
    }

    private void Add(StageStatistics stage)
    {
        Add(_batches.WithLabels(stage.Name), () => stage.Batches);
        Add(_lines.WithLabels(stage.Name), () => stage.Lines);
        Add(_bytes.WithLabels(stage.Name), () => stage.Bytes);
        Add(_tokens.WithLabels(stage.Name), () => stage.Tokens);
        Add(_busy.WithLabels(stage.Name), () => stage.Busy.TotalSeconds);
        Add(_stalled.WithLabels(stage.Name, "upstream"), () => stage.StalledUpstream.TotalSeconds);
        // The queue hands over to the trainer, outside the graph: its own waiting for room is what it is held back by.
        Add(_stalled.WithLabels(stage.Name, "downstream"), () => (stage.Name == "queue" ? stage.Waiting : stage.StalledDownstream).TotalSeconds);
    }

    private void Add(Counter.Child counter, Func<double> read)
    {
        var before = counter.Value;
        _counters.Add((counter, () => before + read()));
    }

    private void Collect()
    {
        lock (_lock)
        {
            foreach (var (counter, read) in _counters)
                counter.IncTo(read());
            if (_text is not { } text)
                return;
            _queueDepth.Set(text.QueueDepth);
            foreach (var source in text.Cursor?.Sources ?? [])
            {
                _epoch.WithLabels(source.Name).Set(source.Place.Position.Epoch);
                _file.WithLabels(source.Name).Set(source.Place.Position.File + 1);
                _files.WithLabels(source.Name).Set(source.Files.Count);
                _position.WithLabels(source.Name).Set(source.Place.Position.Offset);
            }
        }
    }
}
