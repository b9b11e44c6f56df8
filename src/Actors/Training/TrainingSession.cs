using System.Diagnostics;
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

    private static readonly JsonSerializerOptions s_cursorFormat = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly SpikeDetector _spikes;
    private readonly DataSkips _skips;
    private readonly SkipRecord _skipped;
    private RunOptions _options;
    private LearningRateSchedule _schedule;
    private readonly MetricsJournal _journal;
    private readonly CursorJournal _cursors;
    private readonly TokenRecord? _tokens;
    private EngineSnapshot? _snapshot;
    private PipelineCursor? _consumed;
    private int _microBatches;
    private int _skippedInARow;
    private long _stepTokens;
    private long? _stepBegan;

    private TrainingSession(RunOptions options, RunDirectory directory, ITrainingEngine engine, DataSkips skips, Action<string> notice, TrainingState? start)
    {
        _options = options;
        _skips = skips;
        Engine = engine;
        Step = start?.Step ?? 0;
        Tokens = start?.TokensSeen ?? 0;
        _journal = MetricsJournal.Open(directory.MetricsPath, Step, notice);
        _cursors = new CursorJournal(directory.CursorsPath, Step, notice);
        _skipped = new SkipRecord(directory.SkippedPath, Step, start?.Skipped ?? [], notice);
        _tokens = options.Checkpoints.RecordTokens ? new TokenRecord(directory.TokensPath, Step, TokensPerStep) : null;
        _spikes = new SpikeDetector(options.Training.SpikeZScore, options.Training.SpikeWindow);
        foreach (var (loss, norm) in (start?.Losses ?? []).Zip(start?.GradientNorms ?? []))
            _spikes.Add(loss, norm);
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

    public double? LastEvaluationLoss => _journal.LastEvaluationLoss;

    /// <summary>No micro-batch of the next step has been taken.</summary>
    public bool StepIsEmpty => _microBatches == 0;

    public bool StepIsFull => _microBatches == _options.Training.GradientAccumulationSteps;

    private long TokensPerStep => (long)_options.Training.GradientAccumulationSteps * _options.Data.Rows * _options.Data.BlockSize;

    /// <summary>Makes the engine and brings it to a checkpoint's state, or leaves it at its beginning.</summary>
    public static TrainingSession Begin(
        RunOptions options, RunDirectory directory, EngineMaker engines, DataSkips skips, Action<string> notice, Checkpoint? checkpoint)
    {
        var engine = engines(options, notice);
        try
        {
            checkpoint?.RestoreInto(engine);
            engine.PrepareCapture();
            return new TrainingSession(options, directory, engine, skips, notice, checkpoint?.Training) { Cursor = CursorOf(checkpoint) };
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

    /// <summary>Takes a batch where it is to be left out.</summary>
    /// <returns>False where it is to be trained on.</returns>
    public bool TrySkip(TokenBatch batch)
    {
        if (!_skips.AnyBeyond(Step) || !StepIsEmpty || _skips.Before(Step + 1) is var (batches, reason) && _skipped.Before(Step + 1) >= batches)
            return false;
        _skipped.Add(Step + 1, batch, reason);
        _consumed = batch.Cursor;
        return true;
    }

    /// <summary>What was left out before the step that is to be taken; null where nothing was.</summary>
    public TrainerProtocol.DataSkipped? EndSkipping() => _skipped.End(Step + 1);

    public void Accumulate(TokenBatch batch)
    {
        Engine.Accumulate(batch.ToMicroBatch(), _options.Training.GradientAccumulationSteps);
        _tokens?.Add(batch.Tokens);
        _microBatches++;
        _stepTokens += batch.Tokens.Length;
        _consumed = batch.Cursor;
    }

    /// <summary>Takes the optimiser step that the accumulated micro-batches make, and writes its line.</summary>
    /// <exception cref="NonFiniteLossException">The loss or the gradient is not a number; the journal and the counters are as before.</exception>
    /// <exception cref="LossSpikeException">One of them is far above that of the steps before; likewise.</exception>
    public TrainerProtocol.StepCompleted Update(TimeSpan dataWait, int queueDepth)
    {
        var learningRate = _schedule.At(Step);
        var result = Engine.Update(learningRate);
        RequireFinite(result);
        if (_spikes.Find(result.Loss, result.GradientNorm) is { } spike)
            throw new LossSpikeException(Step + 1, spike);
        _spikes.Add(result.Loss, result.GradientNorm);

        Step++;
        StepsTaken++;
        Tokens += _stepTokens;
        Cursor = _consumed;
        StartTrace.Add("first step, its text included", _stepBegan!.Value);
        StartTrace.Complete();
        var completed = new TrainerProtocol.StepCompleted(
            Step, result.Loss, result.GradientNorm, learningRate, _stepTokens, Tokens,
            Stopwatch.GetElapsedTime(_stepBegan!.Value), dataWait, queueDepth, result.Skipped);
        _microBatches = 0;
        _stepTokens = 0;
        _stepBegan = null;
        _tokens?.EndStep();
        _journal.Write(completed);
        return completed;
    }

    /// <summary>The result of a finished evaluation, written to the journal.</summary>
    /// <param name="evaluation">The evaluation.</param>
    /// <param name="isBest">No evaluation before had so small a loss.</param>
    /// <exception cref="NonFiniteLossException">The weights of this step do not predict anything any more.</exception>
    public TrainerProtocol.EvaluationCompleted Evaluated(EvaluationPass evaluation, out bool isBest)
    {
        var result = evaluation.Result(Step);
        isBest = !(_journal.LeastEvaluationLoss <= result.Loss);
        if (!double.IsFinite(result.Loss))
            throw new NonFiniteLossException(Step, $"the evaluation's loss is {result.Loss}");
        _journal.Write(result);
        return result;
    }

    /// <summary>
    /// Everything a checkpoint holds: training may go on while it is written, and the next update waits for the copy. The copy lives in the
    /// same memory each time, so the one before must be written.
    /// </summary>
    /// <param name="text">What the cursor is of.</param>
    /// <exception cref="IOException">The journal's lines up to this step cannot be written.</exception>
    public CheckpointProtocol.Write Snapshot(BatchFeed text)
    {
        _journal.Flush();
        _snapshot = Engine.Capture(_snapshot);
        var cursor = JsonSerializer.SerializeToElement(Cursor, s_cursorFormat);
        if (Cursor is not null)
            _cursors.Write(Step, cursor, StepShape.Of(_options));
        return new(_snapshot.Hold(), new TrainingState
        {
            Step = Step,
            TokensSeen = Tokens,
            Cursor = cursor,
            Losses = _spikes.Losses,
            GradientNorms = _spikes.Norms,
            EvaluationLoss = _journal.LastEvaluation == Step ? _journal.LastEvaluationLoss : null,
            Skipped = _skipped.UpTo(Step),
            Seed = _options.Training.Seed,
        }, Cursor is null ? [] : text.StateAt(Cursor));
    }

    /// <summary>The weights of this step have the least validation loss so far.</summary>
    public bool IsBest => _journal.LastEvaluation == Step && _journal.LastEvaluationLoss <= _journal.LeastEvaluationLoss;

    public void Dispose()
    {
        _journal.Dispose();
        _cursors.Dispose();
        _skipped.Dispose();
        _tokens?.Dispose();
        Engine.Dispose();
        _snapshot?.Release();
    }

    private static LearningRateSchedule ScheduleOf(RunOptions options) => new()
    {
        Kind = options.Training.Schedule,
        Peak = options.Training.LearningRate,
        WarmupSteps = options.Training.WarmupSteps,
        TotalSteps = options.Training.MaxSteps,
        MinimumRatio = options.Training.MinimumLearningRateRatio,
    };

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
