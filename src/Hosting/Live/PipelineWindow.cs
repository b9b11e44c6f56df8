using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Metrics;
using Streaming.Hosting.Runs;
using Streaming.Streams.Measurement;

namespace Streaming.Hosting.Live;

/// <summary>
/// Who has waited for whom in the last half minute: differences of the text path's counters. Samples are taken with steps and
/// when somebody asks, a second apart at least: no timer runs while nobody looks.
/// </summary>
internal sealed class PipelineWindow(PipelineMetrics metrics, RunOptions options, TimeProvider time) : IRunObserver
{
    private const int Samples = 30;
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(1);

    // These work on as many batches at once as there are workers.
    private static readonly HashSet<string> _parallel = ["extract", "clean", "normalize", "tokenize"];

    private readonly Lock _lock = new();
    private readonly Queue<Sample> _samples = new();
    private double _stepSeconds, _dataWaitSeconds;

    public void Observe(RunProtocol.IEvent happened)
    {
        lock (_lock)
        {
            switch (happened)
            {
                case TrainerProtocol.StepCompleted step:
                    _stepSeconds += step.Elapsed.TotalSeconds;
                    _dataWaitSeconds += step.DataWait.TotalSeconds;
                    TakeSample();
                    break;
                case PipelineProtocol.TextOpened:
                    _samples.Clear();
                    break;
            }
        }
    }

    public PipelineLoad Read()
    {
        lock (_lock)
        {
            TakeSample();
            return _samples.Count > 1 ? Between(_samples.Peek(), _samples.Last()) : new PipelineLoad { Text = metrics.Text };
        }
    }

    private void TakeSample()
    {
        if (metrics.Text is not { } text || (_samples.Count > 0 && time.GetElapsedTime(_samples.Last().At) < _interval))
            return;
        if (_samples.Count == Samples)
            _samples.Dequeue();
        _samples.Enqueue(new Sample(time.GetTimestamp(), _stepSeconds, _dataWaitSeconds, text.Queue.Waiting.TotalSeconds, [.. text.Stages.Select(StageSample.Of)]));
    }

    private PipelineLoad Between(Sample first, Sample last)
    {
        var seconds = Math.Max(time.GetElapsedTime(first.At, last.At).TotalSeconds, 1e-3);
        return new PipelineLoad
        {
            Text = metrics.Text,
            Seconds = seconds,
            DataWaitRatio = Ratio(last.DataWait - first.DataWait, Math.Max(last.Steps - first.Steps, 1e-9)),
            TrainerWaitRatio = Ratio(last.TrainerWait - first.TrainerWait, seconds),
            Stages = [.. first.Stages.Zip(last.Stages, (a, b) => new StageLoad(
                b.Name,
                Ratio(b.Busy - a.Busy, seconds * (_parallel.Contains(b.Name) ? options.Data.Workers : 1)),
                Ratio(b.Upstream - a.Upstream, seconds),
                Ratio(b.Downstream - a.Downstream, seconds),
                (b.Bytes - a.Bytes) / seconds,
                (b.Tokens - a.Tokens) / seconds,
                b.Batches))],
        };
    }

    private static double Ratio(double part, double whole) => Math.Clamp(part / whole, 0, 1);

    private sealed record Sample(long At, double Steps, double DataWait, double TrainerWait, StageSample[] Stages);

    private sealed record StageSample(string Name, double Busy, double Upstream, double Downstream, long Bytes, long Tokens, long Batches)
    {
        public static StageSample Of(StageStatistics stage) => new(
            stage.Name, stage.Busy.TotalSeconds, stage.StalledUpstream.TotalSeconds,
            (stage.Name == "queue" ? stage.Waiting : stage.StalledDownstream).TotalSeconds, stage.Bytes, stage.Tokens, stage.Batches);
    }
}

/// <param name="Name">The stage.</param>
/// <param name="BusyRatio">Share of its workers' time at work.</param>
/// <param name="UpstreamRatio">Share of the time that it waited for work; a stage of several sources may wait for all at once, so at most 1.</param>
/// <param name="DownstreamRatio">Share of the time that its work was not taken.</param>
/// <param name="BytesPerSecond">Of text; 0 where tokens are worked on.</param>
/// <param name="TokensPerSecond">0 where text is worked on.</param>
/// <param name="Batches">Since the text was opened.</param>
internal sealed record StageLoad(
    string Name, double BusyRatio, double UpstreamRatio, double DownstreamRatio, double BytesPerSecond, double TokensPerSecond, long Batches);

/// <summary>Who waited for whom over some seconds.</summary>
internal sealed record PipelineLoad
{
    public PipelineStatistics? Text { get; init; }

    /// <summary>Length of the window; 0 where there is none yet.</summary>
    public double Seconds { get; init; }

    /// <summary>Share of the steps' time that the trainer waited for text.</summary>
    public double DataWaitRatio { get; init; }

    /// <summary>Share of the time that the text waited for the trainer.</summary>
    public double TrainerWaitRatio { get; init; }

    public IReadOnlyList<StageLoad> Stages { get; init; } = [];

    /// <summary>As the properties <c>pipeline</c> and <c>sources</c> of an object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("pipeline");
        json.WriteNumber("seconds", Math.Round(Seconds, 1));
        json.WriteNumber("data_wait_ratio", Math.Round(DataWaitRatio, 4));
        json.WriteNumber("trainer_wait_ratio", Math.Round(TrainerWaitRatio, 4));
        json.WriteNumber("queue_depth", Text?.QueueDepth ?? 0);
        json.WriteStartArray("stages");
        foreach (var stage in Stages.Where(stage => stage.Batches > 0))
        {
            json.WriteStartObject();
            json.WriteString("name", stage.Name);
            json.WriteNumber("busy", Math.Round(stage.BusyRatio, 4));
            json.WriteNumber("upstream", Math.Round(stage.UpstreamRatio, 4));
            json.WriteNumber("downstream", Math.Round(stage.DownstreamRatio, 4));
            json.WriteNumber("bytes_per_second", Math.Round(stage.BytesPerSecond));
            json.WriteNumber("tokens_per_second", Math.Round(stage.TokensPerSecond));
            json.WriteNumber("batches", stage.Batches);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartArray("sources");
        foreach (var source in Text?.Sources ?? [])
        {
            json.WriteStartObject();
            json.WriteString("name", source.Name);
            json.WriteNumber("tokens", source.Tokens);
            if (Text!.Cursor?.Sources.FirstOrDefault(at => at.Name == source.Name) is { } place)
            {
                json.WriteNumber("epoch", place.Place.Position.Epoch);
                json.WriteNumber("file", place.Place.Position.File + 1);
                json.WriteNumber("files", place.Files.Count);
                json.WriteString("file_name", place.Files.ElementAtOrDefault(place.Place.Position.File)?.Name);
                json.WriteNumber("position_bytes", place.Place.Position.Offset);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
