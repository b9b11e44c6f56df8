using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Metrics;
using Streaming.Hosting.Metrics.Gpu;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Live;

/// <summary>Where the run stands, in one object: what <c>/api/status</c>, the page and <c>streaming status</c> show. Thread-safe.</summary>
internal sealed class RunStatus(
    RunOptions run, TimeProvider time, RunHealth health, PipelineWindow pipeline, GpuMetrics gpu, RunMetrics metrics, RunHistory history, RunHandle handle) : IRunObserver
{
    private readonly Lock _lock = new();
    private readonly ProgressMeter _meter = new(window: 50) { MaxSteps = run.Training.MaxSteps };
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();
    private readonly string _directory = run.RunDirectory;
    private RunOptions _options = run;
    private RunProtocol.Started? _started;
    private TrainerProtocol.StepCompleted? _step;
    private SavedCheckpoint? _checkpoint;
    private DateTimeOffset? _progressAt;
    private TimeSpan _evaluationTook;
    private string? _trouble;
    private bool _stopping, _paused;
    private int _rollbacks;

    /// <summary>Steps taken.</summary>
    public long Step => Volatile.Read(ref _step)?.Step ?? Volatile.Read(ref _started)?.Step ?? 0;

    /// <summary>The run with what operators have changed.</summary>
    public RunOptions Options => Volatile.Read(ref _options);

    public void Observe(RunProtocol.IEvent happened)
    {
        lock (_lock)
        {
            switch (happened)
            {
                case RunProtocol.Started started:
                    (_started, _step, _progressAt) = (started, null, time.GetUtcNow());
                    _checkpoint = SavedCheckpoint.Of(started) ?? _checkpoint;
                    break;
                case TrainerProtocol.StepCompleted step:
                    (_step, _progressAt) = (step, time.GetUtcNow());
                    _meter.Add(step);
                    break;
                case TrainerProtocol.EvaluationCompleted evaluation:
                    (_evaluationTook, _progressAt) = (evaluation.Elapsed, time.GetUtcNow());
                    break;
                case CheckpointProtocol.Written written:
                    (_checkpoint, _trouble) = (SavedCheckpoint.Of(written, time.GetUtcNow()), null);
                    break;
                case CheckpointProtocol.Failed failed:
                    _trouble = $"the last checkpoint was not written: {failed.Reason}";
                    break;
                case RunProtocol.RolledBack:
                    _rollbacks++;
                    _meter.Reset();
                    break;
                case ControlProtocol.Changed changed:
                    _options = changed.Options;
                    _meter.MaxSteps = changed.Options.Training.MaxSteps;
                    _paused = changed.Options.Paused && _paused;
                    break;
                case ControlProtocol.Paused:
                    _paused = true;
                    break;
                case ControlProtocol.Resumed:
                    (_paused, _progressAt) = (false, time.GetUtcNow());
                    break;
                case ControlProtocol.Commanded { What: "stop" }:
                    _stopping = true;
                    break;
            }
        }
    }

    public string State => handle.Outcome.IsCompleted ? "ended" : _stopping ? "stopping" : !health.Ready ? "starting" : _paused ? "paused" : "training";

    public void Write(Utf8JsonWriter json)
    {
        gpu.Collect();
        var load = pipeline.Read();
        lock (_lock)
        {
            json.WriteStartObject();
            json.WriteString("name", Path.GetFileName(_directory.TrimEnd('/')));
            json.WriteString("directory", _directory);
            json.WriteString("state", State);
            json.WriteString("sentence", health.State);
            var silence = _progressAt is { } at ? time.GetUtcNow() - at : TimeSpan.Zero;
            var verdict = Verdict.Of(State, load, _trouble, new Silence(silence, _step is null ? null : _meter.StepSeconds, _evaluationTook));
            json.WriteString("health", verdict.Health);
            json.WriteString("verdict", verdict.Sentence);
            json.WriteString("version", typeof(RunStatus).Assembly.GetName().Version?.ToString(3));
            json.WriteString("started_at", _startedAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture));
            json.WriteString("engine", _started?.Engine);
            json.WriteNumber("parameters", _started?.ParameterCount ?? 0);
            json.WriteNumber("step", Step);
            json.WriteNumber("max_steps", _options.Training.MaxSteps);
            json.WriteNumber("tokens", _step?.TotalTokens ?? _started?.Tokens ?? 0);
            json.WriteNumber("rollbacks", _rollbacks);
            WriteStep(json);
            WriteEvaluation(json);
            WriteCheckpoint(json);
            json.WriteStartObject("settings");
            foreach (var setting in RunSetting.All)
            {
                var value = setting.Read(_options);
                if (setting.Words.Count > 0)
                    json.WriteString(setting.Name.Replace('-', '_'), setting.Write(value));
                else
                    json.WriteNumber(setting.Name.Replace('-', '_'), value);
            }
            json.WriteEndObject();
            load.Write(json);
            WriteMachine(json);
            json.WriteEndObject();
        }
    }

    private void WriteStep(Utf8JsonWriter json)
    {
        if (_step is not { } step || !_meter.HasSteps)
            return;
        var progress = _meter.Read();
        Number(json, "loss", step.Loss);
        Number(json, "mean_loss", progress.Loss);
        Number(json, "gradient_norm", step.GradientNorm);
        Number(json, "learning_rate", step.LearningRate);
        Number(json, "tokens_per_second", progress.TokensPerSecond);
        Number(json, "step_seconds", _meter.StepSeconds);
        Number(json, "data_wait_ratio", _meter.DataWaitRatio);
        Number(json, "seconds_left", progress.Left.TotalSeconds);
        if (metrics.Utilization is { } utilization)
            Number(json, "mfu", utilization);
    }

    private void WriteEvaluation(Utf8JsonWriter json)
    {
        if (history.ReadEvaluations() is not { } evaluations)
            return;
        json.WriteStartObject("evaluation");
        json.WriteNumber("step", evaluations.Last.Step);
        Number(json, "loss", evaluations.Last.Loss);
        Number(json, "perplexity", Math.Exp(evaluations.Last.Loss));
        Number(json, "best_loss", evaluations.Best.Loss);
        json.WriteNumber("best_step", evaluations.Best.Step);
        json.WriteEndObject();
    }

    private void WriteCheckpoint(Utf8JsonWriter json)
    {
        if (_checkpoint is not { } checkpoint)
            return;
        json.WriteStartObject("checkpoint");
        json.WriteNumber("step", checkpoint.Step);
        json.WriteString("path", checkpoint.Path);
        json.WriteNumber("bytes", checkpoint.Bytes);
        Number(json, "seconds", checkpoint.Elapsed?.TotalSeconds);
        Number(json, "age_seconds", (time.GetUtcNow() - checkpoint.WrittenAt).TotalSeconds);
        json.WriteEndObject();
    }

    private void WriteMachine(Utf8JsonWriter json)
    {
        var memory = ProcMemory.Read();
        json.WriteStartObject("memory");
        Number(json, "resident_bytes", memory.ResidentBytes);
        json.WriteNumber("managed_bytes", GC.GetTotalMemory(false));
        Number(json, "host_available_bytes", memory.HostAvailableBytes);
        Number(json, "host_bytes", memory.HostBytes);
        json.WriteEndObject();
        if (gpu.Latest is not { } reading)
            return;
        json.WriteStartObject("gpu");
        json.WriteString("name", gpu.Name);
        Number(json, "utilization_ratio", reading.BusyRatio);
        Number(json, "memory_used_bytes", reading.MemoryUsedBytes);
        Number(json, "memory_bytes", reading.MemoryTotalBytes);
        Number(json, "power_watts", reading.PowerWatts);
        Number(json, "temperature_celsius", reading.TemperatureCelsius);
        json.WriteEndObject();
    }

    private static void Number(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number && double.IsFinite(number))
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }
}
