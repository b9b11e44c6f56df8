using System.Diagnostics;
using Akka.Actor;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Libtorch;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>
/// Trains, on a thread of its own. One message is one piece of the <see cref="Agenda"/>: a micro-batch, a held-out batch, a
/// snapshot. Between two of them the mailbox is served, so a command waits for a micro-batch at most; a checkpoint in the middle
/// of a step is of the step before. It never awaits: grad mode and dispose scopes belong to the thread. A failure leaves as
/// <see cref="TrainingFailedException"/>, and the next incarnation begins from the newest whole checkpoint.
/// </summary>
internal sealed partial class TrainerActor : ReceiveActor, IWithUnboundedStash, IWithTimers
{
    private const int LastCheckpointTries = 3;

    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    private readonly TrainerParts _parts;
    private RunOptions _options;
    private readonly RunDirectory _directory;
    private readonly IActorRef _pipeline;
    private readonly IActorRef _checkpoints;

    // Their identity tells this incarnation's messages from those that a failed one left in the mailbox.
    private readonly Continue _continue = new();

    private TrainingSession? _session;
    private Agenda? _agenda;
    private BatchFeed? _feed;
    private string? _checkpoint;
    private bool _stopRequested;
    private CancellationTokenSource? _unwanted; // of the checkpoint that is being written
    private int _lastCheckpointTries;
    private long _snapshotAt = Stopwatch.GetTimestamp();
    private long? _retryCheckpointSince;

    // Nothing can be done before an answer comes: no Continue is under way.
    private bool _waiting;

    public TrainerActor(RunOptions options, TrainerParts parts)
    {
        _options = options;
        _parts = parts;
        _directory = parts.Directory;
        _pipeline = parts.Pipeline;
        _checkpoints = parts.Checkpoints;
        Loading();
    }

    public static Props Props(RunOptions options, TrainerParts parts) =>
        Akka.Actor.Props.Create(() => new TrainerActor(options, parts)).WithDispatcher(StreamingRun.TrainerDispatcher);

    private sealed class Continue;

    public IStash Stash { get; set; } = null!;

    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>The wait before a restart is over.</summary>
    private sealed record Start(object Request);

    /// <summary>The wait before another try of the last checkpoint is over.</summary>
    private sealed record TryCheckpointAgain(object Request);

    protected override void PreStart() => After(_parts.Rollbacks.Delay, new Start(_continue));

    protected override void PostStop() => _session?.Dispose();

    private void Loading()
    {
        Receive<Start>(_ => _checkpoints.Tell(new CheckpointProtocol.FindNewest(_continue)), start => IsOwn(start.Request));
        Receive<CheckpointProtocol.Newest>(newest => Guard(() => Load(newest.Checkpoint)), newest => IsOwn(newest.Request));
        Receive<PipelineProtocol.Opened>(Begin, opened => IsOwn(opened.Request));
        Receive<PipelineProtocol.NotOpened>(failed => Guard(() => LeaveOrRestart(new TrainingEnd.TextFailed(failed.Failure))), failed => IsOwn(failed.Request));
        Receive<PipelineProtocol.HeldOut>(heldOut => _heldOut = heldOut.Batches);
        Receive<PipelineProtocol.NotHeldOut>(failed => Guard(() => OnNotHeldOut(failed.Failure)));
        Receive<TrainerProtocol.Stop>(_ =>
        {
            _stopRequested = true;
            Leave(new TrainingEnd.StopRequested());
        });
        Receive<TrainerProtocol.Adjust>(OnAdjust);
        Receive<TrainerProtocol.ICommand>(_ => Stash.Stash()); // they are done once the training goes on
        ReceiveAny(_ => { }); // what a failed incarnation left behind
    }

    private void Training()
    {
        Receive<Continue>(_ => Guard(Work), IsOwn);
        Receive<TrainerProtocol.Stop>(_ =>
        {
            _stopRequested = true;
            Do(agenda =>
            {
                agenda.Hurry(new TrainingEnd.StopRequested());
                if (agenda.AwaitsAnother)
                    _unwanted?.Cancel();
            });
        });
        Receive<TrainerProtocol.SaveCheckpoint>(order => Do(agenda => OnSaveCheckpoint(agenda, order)));
        Receive<TrainerProtocol.Evaluate>(order => Do(agenda => OnEvaluate(agenda, order)));
        Receive<TrainerProtocol.Sample>(wanted => Do(agenda => OnSample(agenda, wanted)));
        Receive<TrainerProtocol.Adjust>(adjust => Do(_ => OnAdjust(adjust)));
        Receive<Tick>(_ => OnTick());
        Receive<CheckpointProtocol.Written>(written =>
        {
            _checkpoint = written.Path;
            Do(agenda => agenda.CheckpointWritten());
        });
        Receive<CheckpointProtocol.GivenUp>(_ => Do(agenda => agenda.CheckpointWritten()));
        Receive<CheckpointProtocol.Failed>(failed => CheckpointFailed(failed.Reason));
        Receive<CheckpointProtocol.Unfit>(unfit => Guard(() => throw new NonFiniteLossException(unfit.Step, unfit.What)));
        Receive<TryCheckpointAgain>(_ => Do(_ => { }), again => IsOwn(again.Request));
        Receive<PipelineProtocol.HeldOut>(heldOut => Do(agenda =>
        {
            _heldOut = heldOut.Batches;
            agenda.HeldOutIsThere();
        }));
        Receive<PipelineProtocol.NotHeldOut>(failed => Guard(() => OnNotHeldOut(failed.Failure)));
        Receive<HeldOutIsLate>(_ => Do(agenda => agenda.HeldOutIsLate()), late => IsOwn(late.Request));
        ReceiveAny(_ => { });
    }

    private void Load(Checkpoint? checkpoint)
    {
        if (_stopRequested)
            return;
        _checkpoint = checkpoint?.Folder;
        if (checkpoint is not null)
            _parts.Skips.BeginFrom(checkpoint.Training, _options.Training.GradientAccumulationSteps);
        // The text fills its queue while the engine is made.
        _pipeline.Tell(new PipelineProtocol.Open(TrainingSession.CursorOf(checkpoint), checkpoint?.PipelinePath, _parts.Skips.AnyBeyond(checkpoint?.Training.Step ?? 0), _continue));
        _session = TrainingSession.Begin(_options, _directory, Engines, _parts.Skips, sentence => Publish(new RunProtocol.Noticed(sentence)), checkpoint);
        AskForHeldOut();
    }

    private ITrainingEngine Engines(RunOptions options, Action<string> notice)
    {
        var engine = _parts.Engines(options, notice);
        return _parts.Faults is { } faults ? new FaultyEngine(engine, faults, () => (_session?.Step ?? 0) + 1) : engine;
    }

    private void Begin(PipelineProtocol.Opened opened)
    {
        if (_session is not { } session)
            return;
        _feed = new BatchFeed(opened.Text, s_patience, _parts.Faults);
        _agenda = new Agenda(_options, session.Step);
        _agenda.Begin(session.LastEvaluation, _heldOut is not null);
        Publish(new RunProtocol.Started(
            _directory.Path, session.Engine.Description, session.Engine.ParameterCount, session.Step, session.Tokens,
            _options.Training.MaxSteps, _checkpoint, Devices.Parse(_options.Training.Device).ToString(), (session.Engine as FusedEngine)?.DeviceBytes, session.LastEvaluationLoss));
        Become(Training);
        Stash.UnstashAll();
        Self.Tell(_continue);
    }

    /// <summary>Changes the agenda, and goes back to work where the trainer was waiting.</summary>
    private void Do(Action<Agenda> change)
    {
        change(_agenda!);
        if (!_waiting)
            return;
        _waiting = false;
        Self.Tell(_continue);
    }

    private void Work()
    {
        var done = _agenda!.Next switch
        {
            Actors.Work.Step => Step(),
            Actors.Work.Evaluate => Evaluate(),
            Actors.Work.AwaitHeldOut => AwaitHeldOut(),
            Actors.Work.Snapshot => Snapshot(),
            Actors.Work.LoadBest => LoadBest(),
            Actors.Work.Sample => Sample(),
            Actors.Work.AwaitResume => Pause(),
            Actors.Work.AwaitCheckpoint => false,
            Actors.Work.Finish => LeaveOrRestart(_agenda.End!),
            var other => throw new InvalidOperationException($"unknown work {other}"),
        };
        _waiting = !done;
        if (done)
            Self.Tell(_continue);
    }

    /// <summary>One micro-batch of a step, and with the last of them the update.</summary>
    private bool Step()
    {
        Unpause();
        _session!.BeginStep();
        TokenBatch? batch;
        try
        {
            batch = _feed!.Take(_session.Step + 1);
        }
        catch (Exception failure)
        {
            _agenda!.Hurry(new TrainingEnd.TextFailed(failure));
            return true;
        }
        if (batch is null)
        {
            // Late text lets the mailbox in; the micro-batches of the step so far stay with the engine.
            if (_feed.HasEnded)
            {
                EndSkipping();
                _agenda!.Conclude(new TrainingEnd.SourcesUsedUp());
            }
            return true;
        }
        var isSkipped = _session.TrySkip(batch);
        if (!isSkipped)
        {
            EndSkipping();
            _session.Accumulate(batch);
        }
        _feed.Recycle(batch);
        if (!isSkipped && _session.StepIsFull)
            EndStep(_session.Update(_feed.TakeWait(), _feed.Depth));
        return true;
    }

    private void EndSkipping()
    {
        if (_session!.EndSkipping() is { } skipped)
            Publish(skipped);
    }

    private void EndStep(TrainerProtocol.StepCompleted step)
    {
        Publish(step);
        _agenda!.StepTaken(step.Step);
        if (_options.Checkpoints.SaveInterval is { } interval && Stopwatch.GetElapsedTime(_snapshotAt) >= interval)
            _agenda.RequestSnapshot();
        if (_retryCheckpointSince is { } since && Stopwatch.GetElapsedTime(since) >= _options.Checkpoints.RetryAfter)
        {
            _retryCheckpointSince = null;
            _agenda.RequestSnapshot();
        }
    }

    private bool Snapshot()
    {
        _snapshotAt = Stopwatch.GetTimestamp();
        try
        {
            // The best of the run is wanted whatever comes.
            _unwanted = _session!.IsBest ? null : new CancellationTokenSource();
            _checkpoints.Tell(_session.Snapshot(_feed!) with { Unwanted = _unwanted?.Token ?? default });
            _agenda!.SnapshotTaken();
        }
        catch (IOException failure)
        {
            var failed = new CheckpointProtocol.Failed(_session!.Step, $"the journals of the run cannot be written: {failure.Message}");
            Publish(failed);
            _agenda!.SnapshotTaken();
            CheckpointFailed(failed.Reason);
        }
        return _agenda.Next != Actors.Work.Snapshot || _agenda.End is null;
    }

    /// <summary>While the training goes on, another try follows after a while; at its end a few at once, for nothing else is left to do.</summary>
    private void CheckpointFailed(string reason)
    {
        _retryCheckpointSince ??= Stopwatch.GetTimestamp();
        var mayTryAgain = ++_lastCheckpointTries < LastCheckpointTries;
        _agenda!.CheckpointFailed(reason, mayTryAgain);
        if (_agenda.End is null)
            _lastCheckpointTries = 0;
        else if (_agenda.Next == Actors.Work.Snapshot)
        {
            After(TimeSpan.FromSeconds(_lastCheckpointTries), new TryCheckpointAgain(_continue));
            return;
        }
        Do(_ => { }); // the next snapshot may have waited for this one
    }

    /// <summary>Leaves, but where the text path failed in a way that may pass: everything before is kept by now, and the next incarnation tries again.</summary>
    /// <returns>False: nothing follows.</returns>
    private bool LeaveOrRestart(TrainingEnd end)
    {
        var begun = _session is { StepsTaken: > 0 } || _parts.Rollbacks.Spent > 0;
        if (end is TrainingEnd.TextFailed text && begun && !_stopRequested
            && FailureTable.RowOf(FailureTable.KindOfText(text.Failure)).Decision == Decision.KeepAndRestart)
            throw new TextFailedException(text.Failure, _checkpoint is null ? "no step was kept" : $"everything up to step {_session?.Step} is in {_checkpoint}");
        return Leave(end);
    }

    /// <inheritdoc cref="LeaveOrRestart"/>
    private bool Leave(TrainingEnd end)
    {
        Context.Parent.Tell(new TrainerProtocol.Finished(end, _session?.Step ?? 0, _session?.StepsTaken ?? 0, _checkpoint, _best));
        return false;
    }

    private void After(TimeSpan delay, object message)
    {
        if (delay > TimeSpan.Zero)
            Timers.StartSingleTimer(message.GetType(), message, delay);
        else
            Self.Tell(message);
    }

    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (Exception failure)
        {
            throw new TrainingFailedException((failure as NonFiniteLossException)?.Step ?? (_session?.Step ?? 0) + 1, _session is { StepsTaken: > 0 }, failure);
        }
    }

    private bool IsOwn(object request) => ReferenceEquals(request, _continue);

    private static void Publish(RunProtocol.IEvent happened) => Context.System.EventStream.Publish(happened);
}
