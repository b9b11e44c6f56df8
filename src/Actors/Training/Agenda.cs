namespace Streaming.Actors;

/// <summary>The next piece of the trainer's work.</summary>
internal enum Work
{
    Step,
    Evaluate,

    /// <summary>Nothing until the held-out text of a near evaluation is there, or has taken too long.</summary>
    AwaitHeldOut,
    Snapshot,

    /// <summary>Goes back to the weights with the least validation loss.</summary>
    LoadBest,
    Sample,

    /// <summary>Nothing until an operator resumes the run.</summary>
    AwaitResume,

    /// <summary>Nothing until the checkpoint under way is written.</summary>
    AwaitCheckpoint,
    Finish,
}

/// <summary>
/// What the trainer does next: an evaluation before the checkpoint of the same step (its line in the journal then lies before
/// the checkpoint), a checkpoint before further steps, the sample while the last checkpoint is being written. Plain state, no clock.
/// </summary>
internal sealed class Agenda(RunOptions options, long step)
{
    /// <summary>
    /// An evaluation within so many steps of a start may come before its text, and would then be of another step from run to run.
    /// Such a start waits a little, before its first step; nothing waits later.
    /// </summary>
    public const int NearSteps = 20;

    private bool _awaitsHeldOut;
    private bool _evaluationDue;
    private bool _evaluationLate;
    private bool _snapshotDue;
    private bool _sampleDue;
    private bool _loadBestDue;
    private bool _sampleRequested;
    private RunOptions _options = options;
    private long _evaluated = -1;

    /// <summary>The step whose state a checkpoint holds, or the one being written will.</summary>
    private long _kept = step;

    public long Step { get; private set; } = step;

    /// <summary>A checkpoint is being written.</summary>
    public bool Writing { get; private set; }

    /// <summary>Why there will be no further step; null while there will.</summary>
    public TrainingEnd? End { get; private set; }

    public Work Next =>
        _awaitsHeldOut ? Work.AwaitHeldOut
        : _evaluationDue ? Work.Evaluate
        : _snapshotDue ? Writing ? Work.AwaitCheckpoint : Work.Snapshot
        : _sampleRequested ? Work.Sample
        : End is null ? _options.Paused ? Work.AwaitResume : Work.Step
        : _loadBestDue ? Writing ? Work.AwaitCheckpoint : Work.LoadBest
        : _sampleDue ? Work.Sample
        : Writing ? Work.AwaitCheckpoint
        : Work.Finish;

    /// <param name="lastEvaluation">The last step that the journal holds an evaluation of: one that a kill prevented is made up for.</param>
    /// <param name="hasHeldOut">The held-out text is there.</param>
    public void Begin(long? lastEvaluation, bool hasHeldOut)
    {
        _evaluated = lastEvaluation ?? -1;
        if (Step >= _options.Training.MaxSteps)
        {
            End = new TrainingEnd.NothingToDo();
            return;
        }
        _evaluationDue = Step > 0 && IsEvery(_options.Evaluation.EvalSteps) && _evaluated != Step;
        var isNear = StepsToEvaluation <= (_options.Checkpoints.RecordTokens ? _options.Evaluation.EvalSteps : NearSteps);
        _awaitsHeldOut = !hasHeldOut && (_evaluationDue || isNear);
    }

    public void StepTaken(long step)
    {
        Step = step;
        _evaluationDue |= IsEvery(_options.Evaluation.EvalSteps);
        _snapshotDue |= IsEvery(_options.Checkpoints.SaveSteps);
        if (step >= _options.Training.MaxSteps)
            Conclude(new TrainingEnd.StepsDone());
    }

    /// <summary>Ends the training as it should end: evaluation, checkpoint, sample.</summary>
    public void Conclude(TrainingEnd end)
    {
        End ??= end;
        _snapshotDue |= Step > _kept;
        _evaluationDue |= Step > 0 && _evaluated != Step;
        _sampleDue = Step > 0 && _options.Evaluation.SamplePrompt.Length > 0;
        _loadBestDue = Step > 0 && _options.Checkpoints.LoadBestAtEnd && end is TrainingEnd.StepsDone or TrainingEnd.SourcesUsedUp;
    }

    /// <summary>Ends the training in a hurry: a checkpoint and nothing else.</summary>
    public void Hurry(TrainingEnd end)
    {
        // Steps that are all done stay done: a signal during the last evaluation ends it, not the outcome.
        End ??= end;
        _snapshotDue |= Step > _kept;
        _awaitsHeldOut = false;
        _evaluationDue = false;
        _sampleDue = false;
        _loadBestDue = false;
        _sampleRequested = false;
    }

    /// <summary>Goes on with other options, from the next piece of work on.</summary>
    public void Adjust(RunOptions changed)
    {
        _options = changed;
        if (Step >= changed.Training.MaxSteps)
            Conclude(new TrainingEnd.StepsDone());
    }

    /// <summary>A checkpoint holds this step, or the one being written will.</summary>
    public bool Keeps(long wanted) => _kept == wanted || _snapshotDue;

    /// <summary>An evaluation is due or under way, or waits for its text.</summary>
    public bool Evaluating => _evaluationDue || _evaluationLate;

    /// <summary>What is to be evaluated on is not there yet: training goes on meanwhile. At the end of the training the evaluation waits.</summary>
    /// <returns>Whether there is something to go on with.</returns>
    public bool PostponeEvaluation()
    {
        _awaitsHeldOut = false;
        if (End is not null)
            return false;
        _evaluationLate |= _evaluationDue;
        _evaluationDue = false;
        return true;
    }

    /// <summary>A start has waited for it as long as it may; where it came in time, that says nothing.</summary>
    public void HeldOutIsLate()
    {
        if (_awaitsHeldOut)
            PostponeEvaluation();
    }

    /// <summary>It is there: an evaluation that was postponed is due, after the step that is done by now.</summary>
    public void HeldOutIsThere()
    {
        _awaitsHeldOut = false;
        if (_evaluationLate)
            RequestEvaluation();
        _evaluationLate = false;
    }

    public void RequestEvaluation() => _evaluationDue |= End is null;

    public void RequestSample() => _sampleRequested = true;

    public void RequestSnapshot() => _snapshotDue |= Step > _kept;

    /// <param name="isBest">No evaluation before was so good.</param>
    public void Evaluated(bool isBest = false)
    {
        _evaluationDue = _evaluationLate = false;
        _evaluated = Step;
        if (isBest && _options.Checkpoints.LoadBestAtEnd)
            RequestSnapshot();
    }

    public void SnapshotTaken()
    {
        _snapshotDue = false;
        _kept = Step;
        Writing = true;
    }

    /// <summary>A requested sample comes before the one at the end.</summary>
    public void SampleTaken()
    {
        if (_sampleRequested)
            _sampleRequested = false;
        else
            _sampleDue = false;
    }

    public void BestLoaded() => _loadBestDue = false;

    /// <summary>A checkpoint is being written, and one of a later step waits for that.</summary>
    public bool AwaitsAnother => Writing && _snapshotDue;

    /// <summary>Or given up for a later one.</summary>
    public void CheckpointWritten() => Writing = false;

    /// <summary>Older checkpoints are untouched: while the training goes on the next one tries again; at the end the run must say so.</summary>
    /// <param name="reason">What failed.</param>
    /// <param name="mayTryAgain">Whether the end of the run waits for another try.</param>
    public void CheckpointFailed(string reason, bool mayTryAgain = false)
    {
        Writing = false;
        _kept = -1;
        if (End is null || _snapshotDue)
            return;
        if (mayTryAgain)
            _snapshotDue = true;
        else
            End = new TrainingEnd.CheckpointLost(reason);
    }

    private long StepsToEvaluation => _options.Evaluation.EvalSteps is > 0 and var interval ? interval - Step % interval : long.MaxValue;

    private bool IsEvery(long interval) => interval > 0 && Step % interval == 0;
}
