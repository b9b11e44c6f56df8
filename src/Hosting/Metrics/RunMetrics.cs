using Prometheus;
using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Metrics;

/// <summary>A run as Prometheus sees it: names, units and help of every metric, and the events that move them.</summary>
internal sealed class RunMetrics : IRunObserver
{
    // From 1 ms (a toy on a CPU) by factors of 2 to 9 minutes (large accumulated batches).
    private static readonly double[] _stepSeconds = Histogram.ExponentialBuckets(start: 0.001, factor: 2, count: 20);

    private readonly TimeProvider _time;
    private readonly Gauge _step, _maxSteps, _loss, _learningRate, _gradientNorm, _queueDepth, _parameters;
    private readonly Gauge _evaluationLoss, _evaluationPerplexity, _checkpointStep, _checkpointBytes, _checkpointSeconds, _checkpointAge;
    private readonly Counter _steps, _skippedSteps, _tokens, _dataWait, _evaluations, _checkpoints, _checkpointFailures, _rollbacks;
    private readonly Histogram _stepDuration;

    /// <summary>When what was learned was last safe: a checkpoint, or the start.</summary>
    private long? _safeSince;

    public RunMetrics(CollectorRegistry registry, TimeProvider time)
    {
        _time = time;
        var metrics = Prometheus.Metrics.WithCustomRegistry(registry);
        var version = typeof(RunMetrics).Assembly.GetName().Version?.ToString(3) ?? "";
        metrics.CreateGauge("streaming_build_info", "Always 1; the labels say what runs.", "version", "runtime")
            .WithLabels(version, Environment.Version.ToString()).Set(1);

        _step = metrics.CreateGauge("streaming_step", "Optimiser steps taken; goes back with a rollback.");
        _maxSteps = metrics.CreateGauge("streaming_max_steps", "Optimiser steps of the whole run.");
        _steps = metrics.CreateCounter("streaming_steps_total", "Optimiser steps done by this process.");
        _skippedSteps = metrics.CreateCounter("streaming_skipped_steps_total", "Steps whose update was left out because the gradient was not finite.");
        _stepDuration = metrics.CreateHistogram("streaming_step_duration_seconds", "Wall time of an optimiser step, waiting for text included.", new HistogramConfiguration { Buckets = _stepSeconds });
        _tokens = metrics.CreateCounter("streaming_tokens_total", "Tokens trained on by this process.");
        _loss = metrics.CreateGauge("streaming_loss", "Training loss of the last step, nats per predicted token.");
        _learningRate = metrics.CreateGauge("streaming_learning_rate", "Learning rate of the last step.");
        _gradientNorm = metrics.CreateGauge("streaming_gradient_norm", "Global L2 norm of the last step's gradient, before clipping.");
        _dataWait = metrics.CreateCounter("streaming_data_wait_seconds_total", "Time that the trainer waited for text.");
        _queueDepth = metrics.CreateGauge("streaming_queue_depth", "Batches that lay ready for the trainer when the last step ended.");
        _parameters = metrics.CreateGauge("streaming_model_parameters", "Parameters of the model.");
        _evaluations = metrics.CreateCounter("streaming_evaluations_total", "Evaluations on held-out text.");
        _evaluationLoss = metrics.CreateGauge("streaming_evaluation_loss", "Loss of the last evaluation, nats per predicted token.");
        _evaluationPerplexity = metrics.CreateGauge("streaming_evaluation_perplexity", "Perplexity of the last evaluation.");
        _checkpoints = metrics.CreateCounter("streaming_checkpoints_total", "Checkpoints written by this process.");
        _checkpointFailures = metrics.CreateCounter("streaming_checkpoint_failures_total", "Checkpoints that could not be written.");
        _checkpointStep = metrics.CreateGauge("streaming_checkpoint_step", "Step of the newest checkpoint.");
        _checkpointBytes = metrics.CreateGauge("streaming_checkpoint_size_bytes", "Size of the newest checkpoint.");
        _checkpointSeconds = metrics.CreateGauge("streaming_checkpoint_duration_seconds", "Wall time of writing the newest checkpoint.");
        _checkpointAge = metrics.CreateGauge("streaming_checkpoint_age_seconds", "Time since the newest checkpoint of this process, or since its start where there is none yet.");
        _rollbacks = metrics.CreateCounter("streaming_rollbacks_total", "Returns to the last checkpoint after a failure.");

        registry.AddBeforeCollectCallback(() =>
        {
            if (_safeSince is { } since)
                _checkpointAge.Set(_time.GetElapsedTime(since).TotalSeconds);
        });
    }

    public void Observe(RunProtocol.IEvent happened)
    {
        switch (happened)
        {
            case RunProtocol.Started started:
                _step.Set(started.Step);
                _maxSteps.Set(started.MaxSteps);
                _parameters.Set(started.ParameterCount);
                _safeSince ??= _time.GetTimestamp();
                break;
            case TrainerProtocol.StepCompleted step:
                Observe(step);
                break;
            case TrainerProtocol.EvaluationCompleted evaluation:
                _evaluations.Inc();
                _evaluationLoss.Set(evaluation.Loss);
                _evaluationPerplexity.Set(evaluation.Perplexity);
                break;
            case CheckpointProtocol.Written written:
                _checkpoints.Inc();
                _checkpointStep.Set(written.Step);
                _checkpointBytes.Set(written.Bytes);
                _checkpointSeconds.Set(written.Elapsed.TotalSeconds);
                _safeSince = _time.GetTimestamp();
                break;
            case CheckpointProtocol.Failed:
                _checkpointFailures.Inc();
                break;
            case RunProtocol.RolledBack:
                _rollbacks.Inc();
                break;
        }
    }

    private void Observe(TrainerProtocol.StepCompleted step)
    {
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
        _queueDepth.Set(step.QueueDepth);
    }
}
