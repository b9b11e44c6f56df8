using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Measurement;
using Streaming.Model.Training;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>
/// One engine at one place of one run: counts steps and tokens, knows the cursor of the last batch that the optimiser
/// consumed, keeps the journal. Lives on the trainer's thread.
/// </summary>
internal sealed class TrainingSession : IDisposable
{
    // Loss scaling of fp16 halves its scale at each skipped update; that many in a row are no search for a scale any more.
    private const int SkippedInARowLimit = 25;

    private const int LossesKept = 64;

    private static readonly JsonSerializerOptions s_cursorFormat = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private RunOptions _options;
    private LearningRateSchedule _schedule;
    private readonly Queue<float> _losses = new(LossesKept);
    private readonly MetricsJournal _journal;
    private EngineSnapshot? _snapshot;
    private PipelineCursor? _consumed;
    private int _microBatches;
    private int _skippedInARow;
    private long _stepTokens;
    private long? _stepBegan;

    private TrainingSession(RunOptions options, ITrainingEngine engine, MetricsJournal journal)
    {
        _options = options;
        _journal = journal;
        Engine = engine;
        _schedule = ScheduleOf(options);
    }

    public ITrainingEngine Engine { get; }

    /// <summary>Optimiser steps taken.</summary>
    public long Step { get; private set; }

    /// <summary>Those of this session.</summary>
    public long StepsTaken { get; private set; }

    /// <summary>Tokens the optimiser has consumed.</summary>
    public long Tokens { get; private set; }

    /// <summary>Where the text goes on after the last batch that the optimiser consumed; null at the beginning.</summary>
    public PipelineCursor? Cursor { get; private set; }

    public long? LastEvaluation => _journal.LastEvaluation;

    public bool StepIsFull => _microBatches == _options.Training.GradientAccumulationSteps;

    /// <summary>Makes the engine and brings it to a checkpoint's state, or leaves it at its beginning.</summary>
    public static TrainingSession Begin(
        RunOptions options, RunDirectory directory, EngineMaker engines, Action<string> notice, Checkpoint? checkpoint)
    {
        var engine = engines(options, notice);
        try
        {
            checkpoint?.RestoreInto(engine);
            var session = new TrainingSession(options, engine, MetricsJournal.Open(directory.MetricsPath, checkpoint?.Training.Step ?? 0));
            if (checkpoint is not null)
                session.GoOnFrom(checkpoint);
            return session;
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>Where the text goes on after a checkpoint; null at the beginning.</summary>
    public static PipelineCursor? CursorOf(Checkpoint? checkpoint) => checkpoint?.Training.Cursor.Deserialize<PipelineCursor>(s_cursorFormat);

    /// <summary>Goes on with other options, from the next step on.</summary>
    public void Adjust(RunOptions options)
    {
        _options = options;
        _schedule = ScheduleOf(options);
    }

    /// <summary>A pause is no part of the step that it interrupts.</summary>
    public void Exclude(TimeSpan pause) => _stepBegan += (long)(pause.TotalSeconds * Stopwatch.Frequency);

    /// <summary>The clock of a step starts, where it does not run yet.</summary>
    public void BeginStep() => _stepBegan ??= Stopwatch.GetTimestamp();

    public void Accumulate(TokenBatch batch)
    {
        Engine.Accumulate(batch.ToMicroBatch(), _options.Training.GradientAccumulationSteps);
        _microBatches++;
        _stepTokens += batch.Tokens.Length;
        _consumed = batch.Cursor;
    }

    /// <summary>Takes the optimiser step that the accumulated micro-batches make, and writes its line.</summary>
    /// <exception cref="NonFiniteLossException">The loss or the gradient is not a number; the journal and the counters are as before.</exception>
    public TrainerProtocol.StepCompleted Update(TimeSpan dataWait, int queueDepth)
    {
        var learningRate = _schedule.At(Step);
        var result = Engine.Update(learningRate);
        RequireFinite(result);

        Step++;
        StepsTaken++;
        Tokens += _stepTokens;
        Cursor = _consumed;
        Remember(result.Loss);
        StartTrace.Add("first step, its text included", _stepBegan!.Value);
        StartTrace.Complete();
        var completed = new TrainerProtocol.StepCompleted(
            Step, result.Loss, result.GradientNorm, learningRate, _stepTokens, Tokens,
            Stopwatch.GetElapsedTime(_stepBegan!.Value), dataWait, queueDepth, result.Skipped);
        _microBatches = 0;
        _stepTokens = 0;
        _stepBegan = null;
        _journal.Write(completed);
        return completed;
    }

    /// <summary>The result of a finished evaluation, written to the journal.</summary>
    /// <exception cref="NonFiniteLossException">The weights of this step do not predict anything any more.</exception>
    public TrainerProtocol.EvaluationCompleted Evaluated(EvaluationPass evaluation)
    {
        var result = evaluation.Result(Step);
        if (!double.IsFinite(result.Loss))
            throw new NonFiniteLossException(Step, $"the evaluation's loss is {result.Loss}");
        _journal.Write(result);
        return result;
    }

    /// <summary>
    /// Everything a checkpoint holds, copied: training may go on while it is written. The journal's lines so far are on the
    /// disk. The copy lives in the same memory each time, so the one before must be written.
    /// </summary>
    /// <param name="text">What the cursor is of.</param>
    /// <exception cref="NonFiniteLossException">A weight is not a number: such a state is not worth keeping.</exception>
    public CheckpointProtocol.Write Snapshot(BatchFeed text)
    {
        _journal.Sync();
        _snapshot = EngineSnapshot.Take(Engine, _snapshot);
        foreach (var parameter in _snapshot.Parameters)
        {
            if (!AllFinite(parameter.Weight))
                throw new NonFiniteLossException(Step, $"{parameter.Name} is not finite");
        }
        return new(_snapshot, new TrainingState
        {
            Step = Step,
            TokensSeen = Tokens,
            Cursor = JsonSerializer.SerializeToElement(Cursor, s_cursorFormat),
            Losses = [.. _losses],
            Seed = _options.Training.Seed,
        }, Cursor is null ? [] : text.StateAt(Cursor));
    }

    public void Dispose()
    {
        _journal.Dispose();
        Engine.Dispose();
    }

    private void GoOnFrom(Checkpoint checkpoint)
    {
        var state = checkpoint.Training;
        Step = state.Step;
        Tokens = state.TokensSeen;
        Cursor = CursorOf(checkpoint);
        foreach (var loss in state.Losses)
            Remember(loss);
    }

    private static LearningRateSchedule ScheduleOf(RunOptions options) => new()
    {
        Kind = options.Training.Schedule,
        Peak = options.Training.LearningRate,
        WarmupSteps = options.Training.WarmupSteps,
        TotalSteps = options.Training.MaxSteps,
        MinimumRatio = options.Training.MinimumLearningRateRatio,
    };

    private void Remember(float loss)
    {
        if (_losses.Count == LossesKept)
            _losses.Dequeue();
        _losses.Enqueue(loss);
    }

    /// <summary>Zero times a number is zero, unless the number is none.</summary>
    private static bool AllFinite(ReadOnlySpan<float> values)
    {
        var sum = Vector<float>.Zero;
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        foreach (var vector in vectors)
            sum += vector * Vector<float>.Zero;
        foreach (var value in values[(vectors.Length * Vector<float>.Count)..])
            sum += new Vector<float>(value * 0);
        return Vector.EqualsAll(sum, Vector<float>.Zero);
    }

    private void RequireFinite(StepResult result)
    {
        var step = Step + 1;
        if (!float.IsFinite(result.Loss))
            throw new NonFiniteLossException(step, $"the loss is {result.Loss}");
        if (!float.IsFinite(result.GradientNorm) && !result.Skipped)
            throw new NonFiniteLossException(step, $"the gradient's norm is {result.GradientNorm}");
        _skippedInARow = result.Skipped ? _skippedInARow + 1 : 0;
        if (_skippedInARow == SkippedInARowLimit)
            throw new NonFiniteLossException(step, $"the gradient's norm is {result.GradientNorm}, {SkippedInARowLimit} times in a row,");
    }
}
