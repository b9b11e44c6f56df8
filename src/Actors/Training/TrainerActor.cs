using Akka.Actor;
using Akka.Event;
using Streaming.Model;
using Streaming.Model.Checkpoints;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>
/// Trains, on a thread of its own. One message is one piece of the <see cref="Agenda"/>: a step, a held-out batch, a
/// snapshot. Between two of them the mailbox is served, so a command waits for a step at most. It never awaits: grad mode
/// and dispose scopes belong to the thread. A failure leaves as <see cref="TrainingFailedException"/>, and the next
/// incarnation begins from the newest whole checkpoint.
/// </summary>
internal sealed partial class TrainerActor : ReceiveActor, IWithUnboundedStash, IWithTimers
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    private RunOptions _options;
    private readonly RunDirectory _directory;
    private readonly EngineMaker _engines;
    private readonly IActorRef _pipeline;
    private readonly IActorRef _checkpoints;

    // Their identity tells this incarnation's messages from those that a failed one left in the mailbox.
    private readonly Continue _continue = new();

    private TrainingSession? _session;
    private Agenda? _agenda;
    private BatchFeed? _feed;
    private EvaluationPass? _evaluation;
    private IReadOnlyList<TokenBatch>? _heldOut;
    private string? _checkpoint;
    private bool _stopRequested;

    // Nothing can be done before an answer comes: no Continue is under way.
    private bool _waiting;

    public TrainerActor(
        RunOptions options, RunDirectory directory, EngineMaker engines, IActorRef pipeline, IActorRef checkpoints)
    {
        _options = options;
        _directory = directory;
        _engines = engines;
        _pipeline = pipeline;
        _checkpoints = checkpoints;
        Loading();
    }

    public static Props Props(
        RunOptions options, RunDirectory directory, EngineMaker engines, IActorRef pipeline, IActorRef checkpoints) =>
        Akka.Actor.Props.Create(() => new TrainerActor(options, directory, engines, pipeline, checkpoints))
            .WithDispatcher(StreamingRun.TrainerDispatcher);

    private sealed class Continue;

    public IStash Stash { get; set; } = null!;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => _checkpoints.Tell(new CheckpointProtocol.FindNewest(_continue));

    protected override void PostStop() => _session?.Dispose();

    private void Loading()
    {
        Receive<CheckpointProtocol.Newest>(newest => Guard(() => Load(newest.Checkpoint)), newest => IsOwn(newest.Request));
        Receive<PipelineProtocol.Opened>(Begin, opened => IsOwn(opened.Request));
        Receive<PipelineProtocol.NotOpened>(failed => { Leave(new TrainingEnd.TextFailed(failed.Failure)); }, failed => IsOwn(failed.Request));
        Receive<PipelineProtocol.HeldOut>(heldOut => _heldOut = heldOut.Batches);
        Receive<PipelineProtocol.NotHeldOut>(failed => Leave(new TrainingEnd.TextFailed(failed.Failure)));
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
        Receive<TrainerProtocol.Stop>(_ => Do(agenda => agenda.Hurry(new TrainingEnd.StopRequested())));
        Receive<TrainerProtocol.SaveCheckpoint>(_ => Do(OnSaveCheckpoint));
        Receive<TrainerProtocol.Evaluate>(_ => Do(OnEvaluate));
        Receive<TrainerProtocol.Sample>(wanted => Do(agenda => OnSample(agenda, wanted)));
        Receive<TrainerProtocol.Adjust>(adjust => Do(_ => OnAdjust(adjust)));
        Receive<Tick>(_ => OnTick());
        Receive<CheckpointProtocol.Written>(written =>
        {
            _checkpoint = written.Path;
            Do(agenda => agenda.CheckpointWritten());
        });
        Receive<CheckpointProtocol.Failed>(failed => Do(agenda => agenda.CheckpointFailed(failed.Reason)));
        Receive<PipelineProtocol.HeldOut>(heldOut => Do(_ => _heldOut = heldOut.Batches));
        Receive<PipelineProtocol.NotHeldOut>(failed => Do(agenda => agenda.Hurry(new TrainingEnd.TextFailed(failed.Failure))));
        ReceiveAny(_ => { });
    }

    private void Load(Checkpoint? checkpoint)
    {
        if (_stopRequested)
            return;
        _checkpoint = checkpoint?.Folder;
        // The text fills its queue while the engine is made.
        _pipeline.Tell(new PipelineProtocol.Open(TrainingSession.CursorOf(checkpoint), checkpoint?.PipelinePath, _continue));
        _session = TrainingSession.Begin(_options, _directory, _engines, sentence => Publish(new RunProtocol.Noticed(sentence)), checkpoint);
        _pipeline.Tell(new PipelineProtocol.GetHeldOut());
    }

    private void Begin(PipelineProtocol.Opened opened)
    {
        if (_session is not { } session)
            return;
        _feed = new BatchFeed(opened.Text, s_patience);
        _agenda = new Agenda(_options, session.Step);
        _agenda.Begin(session.LastEvaluation);
        Publish(new RunProtocol.Started(
            _directory.Path, session.Engine.Description, session.Engine.ParameterCount, session.Step, session.Tokens,
            _options.Training.MaxSteps, _checkpoint));
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
            Actors.Work.Snapshot => Snapshot(),
            Actors.Work.Sample => Sample(),
            Actors.Work.AwaitResume => Pause(),
            Actors.Work.AwaitCheckpoint => false,
            Actors.Work.Finish => Leave(_agenda.End!),
            var other => throw new InvalidOperationException($"unknown work {other}"),
        };
        _waiting = !done;
        if (done)
            Self.Tell(_continue);
    }

    private bool Step()
    {
        Unpause();
        _session!.BeginStep();
        do
        {
            TokenBatch? batch;
            try
            {
                batch = _feed!.Take();
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
                    _agenda!.Conclude(new TrainingEnd.SourcesUsedUp());
                return true;
            }
            _session!.Accumulate(batch);
            _feed.Recycle(batch);
        }
        while (!_session.StepIsFull);

        var step = _session.Update(_feed.TakeWait(), _feed.Depth);
        Publish(step);
        _agenda!.StepTaken(step.Step);
        return true;
    }

    private bool Evaluate()
    {
        if (_heldOut is null)
            return false;
        if (_heldOut.Count == 0)
        {
            _agenda!.Evaluated();
            return true;
        }
        _evaluation ??= new EvaluationPass(_heldOut);
        if (!_evaluation.Advance(_session!.Engine))
            return true;
        Publish(_session.Evaluated(_evaluation));
        _evaluation = null;
        _agenda!.Evaluated();
        return true;
    }

    private bool Snapshot()
    {
        _checkpoints.Tell(_session!.Snapshot(_feed!));
        _agenda!.SnapshotTaken();
        return true;
    }

    private bool Sample()
    {
        _agenda!.SampleTaken();
        var asked = _sample;
        _sample = null;
        try
        {
            var text = asked is { } request
                ? TextSample.Generate(_options, _session!.Engine, request.Wanted)
                : TextSample.Generate(_options, _session!.Engine);
            Publish(new TrainerProtocol.SampleGenerated(_session.Step, asked?.Wanted.Prompt ?? _options.Evaluation.SamplePrompt, text));
            asked?.By.Tell(new ControlProtocol.Done(_session.Step, $"sampled after step {_session.Step}", text));
        }
        catch (ModelException mistake) when (asked is not null)
        {
            asked.Value.By.Tell(new ControlProtocol.Failed(mistake.Message));
        }
        catch (Exception failure)
        {
            // A sample changes nothing of the training: no reason to go back.
            Context.GetLogger().Error(failure, "the sample could not be generated");
            Publish(new RunProtocol.Noticed($"the sample could not be generated: {failure.FirstLine()}"));
            asked?.By.Tell(new ControlProtocol.Failed($"the sample could not be generated: {failure.FirstLine()}"));
        }
        return true;
    }

    /// <returns>False: nothing follows.</returns>
    private bool Leave(TrainingEnd end)
    {
        Context.Parent.Tell(new TrainerProtocol.Finished(end, _session?.Step ?? 0, _session?.StepsTaken ?? 0, _checkpoint));
        return false;
    }

    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (Exception failure)
        {
            throw new TrainingFailedException((_session?.Step ?? 0) + 1, _session is { StepsTaken: > 0 }, failure);
        }
    }

    private bool IsOwn(object request) => ReferenceEquals(request, _continue);

    private static void Publish(RunProtocol.IEvent happened) => Context.System.EventStream.Publish(happened);
}
