using Prometheus;
using Streaming.Actors;
using Streaming.Hosting.Live;
using Streaming.Hosting.Metrics.Gpu;
using Streaming.Hosting.Runs;
using Streaming.Model.Measurement;

namespace Streaming.Hosting.Metrics;

/// <summary>A run as Prometheus sees it: names, units and help of every metric, and the events that move them.</summary>
internal sealed class RunMetrics : IRunObserver
{
    // From 1 ms (a toy on a CPU) to 12 minutes (large accumulated batches), six a decade: the steps of a run differ by little.
    private static readonly double[] _stepSeconds =
    [
        0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7,
        1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700,
    ];

    private readonly TimeProvider _time;
    private readonly RunOptions? _options;
    private readonly double? _peakFlops;
    private readonly GpuMetrics? _gpu;
    private readonly MetricFactory _factory;
    private readonly Counter _skippedBatches, _evaluationFailures, _restarts, _nonFinite, _commands;
    private readonly Gauge _checkpointStall, _paused, _lastStep, _configuredRate;
    private readonly Gauge _step, _maxSteps, _loss, _learningRate, _gradientNorm, _parameters;
    private readonly Gauge _evaluationLoss, _evaluationPerplexity, _checkpointStep, _checkpointBytes, _checkpointSeconds, _checkpointRate, _checkpointAge;
    private readonly Counter _steps, _skippedSteps, _tokens, _dataWait, _evaluations, _checkpoints, _checkpointFailures, _rollbacks;
    private readonly Histogram _stepDuration;

    /// <summary>When what was learned was last safe: a checkpoint, or the start.</summary>
    private long? _safeSince;

    private double _flopsPerToken, _peak;
    private Gauge? _utilization;

    /// <param name="registry">Where the metrics are kept.</param>
    /// <param name="time">The clock.</param>
    /// <param name="options">The run; null tells nothing that needs its model.</param>
    /// <param name="peaks">What the device computes at most, where the configuration says so.</param>
    /// <param name="gpu">The GPU, whose name says what it computes at most.</param>
    public RunMetrics(CollectorRegistry registry, TimeProvider time, RunOptions? options = null, MetricsOptions? peaks = null, GpuMetrics? gpu = null)
    {
        (_time, _options, _peakFlops, _gpu) = (time, options, peaks?.PeakFlops, gpu);
        var metrics = _factory = Prometheus.Metrics.WithCustomRegistry(registry);
        var version = typeof(RunMetrics).Assembly.GetName().Version?.ToString(3) ?? "";
        metrics.CreateGauge("streaming_build_info", "Always 1; the labels say what runs.", "version", "runtime")
            .WithLabels(version, Environment.Version.ToString()).Set(1);

        _step = Unknown("streaming_step", "Optimiser steps taken; goes back with a rollback.");
        _maxSteps = Unknown("streaming_max_steps", "Optimiser steps of the whole run.");
        _steps = metrics.CreateCounter("streaming_steps_total", "Optimiser steps done by this process.");
        _skippedSteps = metrics.CreateCounter("streaming_skipped_steps_total", "Steps whose update was left out because the gradient was not finite.");
        _stepDuration = metrics.CreateHistogram("streaming_step_duration_seconds", "Wall time of an optimiser step, waiting for text included.", new HistogramConfiguration { Buckets = _stepSeconds });
        _tokens = metrics.CreateCounter("streaming_tokens_total", "Tokens trained on by this process.");
        _loss = Unknown("streaming_loss", "Training loss of the last step, nats per predicted token.");
        _learningRate = Unknown("streaming_learning_rate", "Learning rate of the last step.");
        _gradientNorm = Unknown("streaming_gradient_norm", "Global L2 norm of the last step's gradient, before clipping.");
        _dataWait = metrics.CreateCounter("streaming_data_wait_seconds_total", "Time that the trainer waited for text.");
        _paused = metrics.CreateGauge("streaming_paused", "1 while an operator has paused the run.");
        _lastStep = Unknown("streaming_last_step_timestamp_seconds", "When the last step ended, seconds since 1970.");
        _configuredRate = Unknown("streaming_peak_learning_rate", "Peak of the learning rate's schedule.");
        _restarts = metrics.CreateCounter("streaming_restarts_total", "Times that training started again from a checkpoint, by what had failed.", "reason");
        _nonFinite = metrics.CreateCounter("streaming_non_finite_steps_total", "Steps whose loss, gradient or weights were not finite.");
        _commands = metrics.CreateCounter("streaming_commands_total", "Commands of operators that were accepted.", "command");
        _checkpointStall = Unknown("streaming_checkpoint_stall_seconds", "Time that training stood still for the newest checkpoint.");
        _skippedBatches = metrics.CreateCounter("streaming_skipped_batches_total", "Batches that were not trained on because of what they had led to.");
        _evaluationFailures = metrics.CreateCounter("streaming_evaluation_failures_total", "Evaluations that could not be made.");
        foreach (var command in (string[])["pause", "resume", "checkpoint", "evaluate", "sample", "set", "stop"])
            _commands.WithLabels(command);
        foreach (var reason in (string[])["source-outage", "text-fault", "non-finite-loss", "spike", "out-of-device-memory", "engine-fault"])
            _restarts.WithLabels(reason); // an alert sees the first one only where there was a 0
        _parameters = Unknown("streaming_model_parameters", "Parameters of the model.");
        _evaluations = metrics.CreateCounter("streaming_evaluations_total", "Evaluations on held-out text.");
        _evaluationLoss = Unknown("streaming_evaluation_loss", "Loss of the last evaluation, nats per predicted token.");
        _evaluationPerplexity = Unknown("streaming_evaluation_perplexity", "Perplexity of the last evaluation.");
        _checkpoints = metrics.CreateCounter("streaming_checkpoints_total", "Checkpoints written by this process.");
        _checkpointFailures = metrics.CreateCounter("streaming_checkpoint_failures_total", "Checkpoints that could not be written.");
        _checkpointStep = Unknown("streaming_checkpoint_step", "Step of the newest checkpoint.");
        _checkpointBytes = Unknown("streaming_checkpoint_size_bytes", "Size of the newest checkpoint.");
        _checkpointSeconds = Unknown("streaming_checkpoint_duration_seconds", "Wall time of writing the newest checkpoint.");
        _checkpointRate = Unknown("streaming_checkpoint_write_bytes_per_second", "Rate at which the newest checkpoint was written and read back.");
        _checkpointAge = Unknown("streaming_checkpoint_age_seconds", "Time since the newest checkpoint of this process, or since its start where there is none yet.");
        _rollbacks = metrics.CreateCounter("streaming_rollbacks_total", "Returns to the last checkpoint after a failure.");

        registry.AddBeforeCollectCallback(() =>
        {
            if (_safeSince is { } since)
                _checkpointAge.Set(_time.GetElapsedTime(since).TotalSeconds);
        });

        // A loss of 0 that nobody has computed would be a dip in every curve after a restart: absent until it is set.
        Gauge Unknown(string name, string help) => metrics.CreateGauge(name, help, new GaugeConfiguration { SuppressInitialValue = true });
    }

    public void Observe(RunProtocol.IEvent happened)
    {
        switch (happened)
        {
            case RunProtocol.Started started:
                _step.Set(started.Step);
                _maxSteps.Set(started.MaxSteps);
                if (SavedCheckpoint.Of(started) is { } saved)
                {
                    _checkpointStep.Set(saved.Step);
                    _checkpointBytes.Set(saved.Bytes);
                }
                if (started.EvaluationLoss is { } before)
                    SetEvaluation(before);
                OnStarted(started);
                _parameters.Set(started.ParameterCount);
                _safeSince ??= _time.GetTimestamp();
                break;
            case TrainerProtocol.StepCompleted step:
                Observe(step);
                break;
            case TrainerProtocol.EvaluationCompleted evaluation:
                _evaluations.Inc();
                SetEvaluation(evaluation.Loss);
                break;
            case CheckpointProtocol.Written written:
                _checkpoints.Inc();
                _checkpointStep.Set(written.Step);
                _checkpointBytes.Set(written.Bytes);
                _checkpointSeconds.Set(written.Elapsed.TotalSeconds);
                _checkpointRate.Set(written.BytesPerSecond);
                _checkpointStall.Set(written.Stall.TotalSeconds);
                _safeSince = _time.GetTimestamp();
                break;
            case TrainerProtocol.DataSkipped skipped:
                _skippedBatches.Inc(skipped.Batches);
                break;
            case TrainerProtocol.EvaluationFailed:
                _evaluationFailures.Inc();
                break;
            case CheckpointProtocol.Failed:
                _checkpointFailures.Inc();
                break;
            case RunProtocol.RolledBack rolledBack:
                _rollbacks.Inc();
                _restarts.WithLabels(rolledBack.Kind).Inc();
                if (rolledBack.Kind == "non-finite-loss")
                    _nonFinite.Inc();
                break;
            case ControlProtocol.Commanded commanded:
                _commands.WithLabels(commanded.What.Split(' ')[0]).Inc();
                break;
            case ControlProtocol.Changed changed:
                _maxSteps.Set(changed.Options.Training.MaxSteps);
                _configuredRate.Set(changed.Options.Training.LearningRate);
                break;
            case ControlProtocol.Paused:
                _paused.Set(1);
                break;
            case ControlProtocol.Resumed:
                _paused.Set(0);
                break;
        }
    }

    /// <summary>Model FLOPs utilisation of the last step; null where the device's peak is not known.</summary>
    public double? Utilization { get; private set; }

    private void SetEvaluation(double loss)
    {
        _evaluationLoss.Set(loss);
        _evaluationPerplexity.Set(Math.Exp(loss));
    }

    private void OnStarted(RunProtocol.Started started)
    {
        if (started.DeviceBytes is { } bytes)
            _factory.CreateGauge("streaming_device_memory_allocated_bytes", "Device memory that the engine has allocated for weights, gradients, moments and activations.").Set(bytes);
        if (_options is null)
            return;
        if (_configuredRate.Value == 0) // what an operator had set before came as an event
            _configuredRate.Set(_options.Training.LearningRate);
        _flopsPerToken = EngineBenchmark.FlopsPerToken(_options.Model, started.ParameterCount, _options.Data.BlockSize, _options.Training.Lora is not null);
        _factory.CreateGauge("streaming_model_flops_per_token", "Operations that a token of training takes: forward and backward pass, causal attention.").Set(_flopsPerToken);
        if ((_peakFlops ?? GpuPeaks.FlopsOf(_gpu?.Name ?? "")) is not { } peak)
            return;
        _factory.CreateGauge("streaming_device_peak_flops", "Operations a second that the device computes at most.").Set(peak);
        _utilization = _factory.CreateGauge("streaming_mfu_ratio", "Model FLOPs utilisation of the last step: operations that the model needs, of those that the device could have done in that time.");
        _peak = peak;
    }

    private void Observe(TrainerProtocol.StepCompleted step)
    {
        _lastStep.Set(_time.GetUtcNow().ToUnixTimeMilliseconds() / 1e3);
        if (_utilization is not null)
        {
            Utilization = step.TokensPerSecond * _flopsPerToken / _peak;
            _utilization.Set(Utilization.Value);
        }
        _step.Set(step.Step);
        _steps.Inc();
        if (step.Skipped)
            _skippedSteps.Inc();
        _stepDuration.Observe(step.Elapsed.TotalSeconds);
        _tokens.Inc(step.Tokens);
        _loss.Set(step.Loss);
        _learningRate.Set(step.LearningRate);
        _gradientNorm.Set(step.GradientNorm);
        _dataWait.Inc(step.DataWait.TotalSeconds);
    }
}
