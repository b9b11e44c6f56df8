using Akka.Actor;
using Akka.Event;
using Akka.Streams;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors;

/// <summary>
/// Owns the run: prepares its directory, starts the text path, the checkpoint writer and the trainer, decides what follows
/// from a failure, and ends the run with exactly one outcome after everything below it has stopped.
/// </summary>
internal sealed class RunSupervisor : ReceiveActor
{
    private readonly RunOptions _options;
    private readonly RunHandle _run;
    private readonly EngineMaker _engines;
    private readonly RollbackBudget _rollbacks;
    private readonly HashSet<IActorRef> _children = [];
    private readonly EventStream _events = Context.System.EventStream; // on any thread

    private RunDirectory? _directory;
    private DataSkips? _skips;
    private IActorRef _trainer = ActorRefs.Nobody;
    private StopSignal? _stop;
    private RunOutcome? _outcome;
    private RunAdjustments _adjustments = new();
    private bool _begun;

    public RunSupervisor(RunOptions options, RunHandle run, EngineMaker engines)
    {
        _options = options;
        _run = run;
        _engines = engines;
        _rollbacks = new RollbackBudget(options.Training.MaxRollbacks, options.Training.RestartDelay);

        Receive<Begin>(_ => Beside(Admit));
        Receive<Admitted>(_ => OnAdmitted());
        Receive<Prepared>(prepared => OnPrepared(prepared.Store, prepared.Start));
        Receive<RunProtocol.Stop>(OnStop);
        Receive<CheckpointProtocol.Written>(written => _rollbacks.CheckpointWritten(written.Step));
        Receive<TrainerProtocol.Finished>(finished => Conclude(OutcomeOf(finished)));
        Receive<Abandon>(abandon => Conclude(abandon.Outcome));
        Receive<Terminated>(OnTerminated);
        Receive<RunProtocol.Started>(_ => _begun = true);
        Receive<ControlProtocol.Command>(OnControl);
        Receive<TrainerProtocol.ICommand>(command => _trainer.Forward(command)); // who knows the run need not know its trainer
    }

    public static Props Props(RunOptions options, RunHandle run, EngineMaker engines) =>
        Akka.Actor.Props.Create(() => new RunSupervisor(options, run, engines));

    private sealed record Begin;

    /// <summary>The settings fit each other and what they name.</summary>
    private sealed record Admitted;

    /// <summary>The run can begin.</summary>
    /// <param name="Store">Its checkpoints.</param>
    /// <param name="Start">The one to begin from; null begins from nothing.</param>
    private sealed record Prepared(CheckpointStore Store, Checkpoint? Start);

    /// <summary>What the strategy decided, brought to the mailbox: it runs outside the message loop.</summary>
    private sealed record Abandon(RunOutcome Outcome);

    protected override void PreStart() => Self.Tell(new Begin());

    // A fault in the supervisor itself ends the run: it has nothing to go back to.
    protected override void PreRestart(Exception reason, object message)
    {
        _outcome ??= FailureTable.Outcome(reason, 0);
        base.PreRestart(reason, message);
    }

    protected override void PostRestart(Exception reason) => Context.Stop(Self);

    protected override void PostStop()
    {
        _directory?.Dispose();
        if (_run.Outcome.IsCompleted)
            return;
        var outcome = _outcome ?? new RunOutcome.Failed("the run was ended with its actor system, without a last checkpoint", ExitCodes.TryAgain, null);
        Publish(new RunProtocol.Ended(outcome));
        _run.End(outcome);
    }

    protected override SupervisorStrategy SupervisorStrategy() =>
        new OneForOneStrategy(-1, Timeout.Infinite, Decide, loggingEnabled: false);

    private Directive Decide(Exception failure)
    {
        var spent = _rollbacks.Spent;
        var kind = FailureTable.KindOf(failure);
        var row = FailureTable.RowOf(kind);
        if (_stop is null
            && row.Decision != Decision.EndRun
            && failure is TrainingFailedException training
            && _rollbacks.TrySpend(training.Step, row.Waits))
        {
            if (row.Decision == Decision.RollBackAndSkip)
                Skip(training);
            else if (kind != FailureKind.SourceOutage)
                Context.GetLogger().Warning(failure.InnerException, "{0}; returning to the last checkpoint", failure.Message);
            Context.System.EventStream.Publish(new RunProtocol.RolledBack(failure.Message, _rollbacks.Spent, _rollbacks.Limit,
                FailureTable.LabelOf(kind)));
            _trainer.Tell(new TrainerProtocol.Adjust(_adjustments.ApplyTo(_options))); // the next incarnation is made with the first one's
            return Directive.Restart;
        }
        Self.Tell(new Abandon(FailureTable.Outcome(failure, spent)));
        return Directive.Stop;
    }

    /// <summary>The text of the step that failed, and of those before it, is left out this time: the run returns to a checkpoint before them where there is one.</summary>
    private void Skip(TrainingFailedException failure)
    {
        var first = Math.Max(1, failure.Step - _options.Training.SpikeSkipSteps + 1);
        _skips!.Add(first, failure.Step, (failure.Step - first + 1) * _options.Training.GradientAccumulationSteps, failure.InnerException!.Message);
    }

    private Admitted Admit()
    {
        RunChecks.Require(_options);
        return new();
    }

    private void OnAdmitted()
    {
        try
        {
            var directory = _directory = RunDirectory.Open(_options.RunDirectory);
            _run.Accept();
            Beside(() =>
            {
                var store = CheckpointStore.Open(directory.Path, _options.Model);
                return new Prepared(store, StartingPoint.Find(_options, directory, store, Publish));
            });
        }
        catch (Exception failure)
        {
            Conclude(FailureTable.Outcome(failure, 0));
        }
    }

    /// <summary>What may take long, as a server that does not answer does, or checkpoints of many gigabytes: a stop is heard meanwhile.</summary>
    private void Beside(Func<object> work) =>
        Task.Run(work).PipeTo(Self, failure: failure => new Abandon(FailureTable.Outcome(failure, 0)));

    private void OnPrepared(CheckpointStore store, Checkpoint? start)
    {
        try
        {
            _skips = DataSkips.Open(_directory!.SkipsPath, sentence => Publish(new RunProtocol.Noticed(sentence)));
            var faults = _options.Faults is { } plan ? FaultPlan.Parse(plan.Plan, plan.Seed, _directory.FaultsPath) : null;
            if (faults is not null)
                store = store.WithFaults(faults);
            // The materializer belongs here: one made from the trainer would die with each of its restarts.
            var materializer = Context.System.Materializer();
            Context.System.EventStream.Subscribe<CheckpointProtocol.Written>(Self);
            Context.System.EventStream.Subscribe<RunProtocol.Started>(Self);
            _adjustments = RunAdjustments.Load(_directory.Path, _options, sentence => Publish(new RunProtocol.Noticed(sentence)));
            if (_adjustments.Settings.Count > 0)
                Publish(new ControlProtocol.Changed(start?.Training.Step ?? 0, _adjustments.ApplyTo(_options)));
            var checkpoints = Start(CheckpointActor.Props(_options, _directory, store, start, _skips), "checkpoints");
            var pipeline = Start(PipelineActor.Props(_options, materializer), "pipeline");
            var parts = new TrainerParts(_directory, _engines, pipeline, checkpoints, store, _rollbacks, _skips, faults);
            _trainer = Start(TrainerActor.Props(_adjustments.ApplyTo(_options), parts), "trainer");
        }
        catch (Exception failure)
        {
            Conclude(FailureTable.Outcome(failure, 0));
        }
    }

    private void OnStop(RunProtocol.Stop stop)
    {
        _stop ??= stop.Signal;
        if (_trainer.IsNobody())
            Conclude(new RunOutcome.Stopped(stop.Signal, "stopped before the first step"));
        else
            _trainer.Tell(new TrainerProtocol.Stop());
    }

    private void OnControl(ControlProtocol.Command command)
    {
        if (_stop is not null || _outcome is not null)
            Sender.Tell(new ControlProtocol.Busy("the run is ending"));
        else if (command is ControlProtocol.Stop)
        {
            Publish(new ControlProtocol.Commanded(command.By, command.What));
            OnStop(new RunProtocol.Stop(StopSignal.Operator));
            Sender.Tell(new ControlProtocol.Done(0, "stopping: the step under way is finished and a checkpoint written first"));
        }
        else if (!_begun)
            Sender.Tell(new ControlProtocol.Busy("the run is starting"));
        else
            Steer(command);
    }

    private void Steer(ControlProtocol.Command command)
    {
        switch (command)
        {
            case ControlProtocol.Pause when _adjustments.Paused:
                Sender.Tell(new ControlProtocol.Busy("the run is paused already"));
                break;
            case ControlProtocol.Resume when !_adjustments.Paused:
                Sender.Tell(new ControlProtocol.Busy("the run is not paused"));
                break;
            case ControlProtocol.Pause or ControlProtocol.Resume:
                Adjust(command, _adjustments with { Paused = command is ControlProtocol.Pause });
                break;
            case ControlProtocol.Change change:
                Adjust(command, _adjustments.With(change.Values, _options));
                break;
            case ControlProtocol.SaveCheckpoint:
                _trainer.Forward(new TrainerProtocol.SaveCheckpoint(command));
                break;
            case ControlProtocol.Evaluate:
                _trainer.Forward(new TrainerProtocol.Evaluate(command));
                break;
            case ControlProtocol.Sample sample:
                _trainer.Forward(new TrainerProtocol.Sample(sample.Prompt, sample.MaxNewTokens, sample.Sampling, command));
                break;
            default:
                throw new InvalidOperationException($"unknown command {command}");
        }
    }

    /// <summary>On the disk first: what was answered to an operator holds after a kill too.</summary>
    private void Adjust(ControlProtocol.Command command, RunAdjustments adjustments)
    {
        try
        {
            adjustments.Save(_directory!.Path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Sender.Tell(new ControlProtocol.Failed($"{RunAdjustments.FileName} cannot be written: {failure.Message.TrimEnd('.')}"));
            return;
        }
        _adjustments = adjustments;
        Publish(new ControlProtocol.Commanded(command.By, command.What));
        _trainer.Forward(new TrainerProtocol.Adjust(adjustments.ApplyTo(_options)));
    }

    private RunOutcome OutcomeOf(TrainerProtocol.Finished finished)
    {
        var kept = finished.Checkpoint is null ? "no step was taken" : $"everything up to step {finished.Step} is in {finished.Checkpoint}";
        var best = finished.Best is null ? "" : $"; the least validation loss is that of {finished.Best}";
        return finished.End switch
        {
            TrainingEnd.StepsDone => new RunOutcome.Completed($"all {finished.Step} steps are done: {finished.Checkpoint}{best}"),
            TrainingEnd.NothingToDo => new RunOutcome.Completed(
                $"nothing to do: {finished.Checkpoint} has step {finished.Step} and {StepsWanted()}"),
            TrainingEnd.SourcesUsedUp when finished.Step == 0 => new RunOutcome.Failed(
                $"the sources ({string.Join(", ", _options.Data.Sources.SelectMany(source => source.Paths))}) hold less text than one step needs: add text, or lower data.block-size, training.per-device-train-batch-size or training.gradient-accumulation-steps", ExitCodes.Failed, null),
            TrainingEnd.SourcesUsedUp => new RunOutcome.Completed(
                $"the sources are used up after step {finished.Step} of {_adjustments.ApplyTo(_options).Training.MaxSteps} (data.epochs = {string.Join(", ", _options.Data.Sources.Select(source => source.Epochs))}): {finished.Checkpoint}{best}"),
            TrainingEnd.StopRequested => new RunOutcome.Stopped(_stop ?? StopSignal.Terminate, $"stopped after step {finished.Step}: {kept}"),
            TrainingEnd.TextFailed text => TextFailure.Outcome(text.Failure, finished.StepsTaken > 0, kept),
            TrainingEnd.CheckpointLost lost => new RunOutcome.Failed($"the last checkpoint, step {finished.Step}, could not be written: {lost.Reason}", ExitCodes.TryAgain, null),
            _ => throw new InvalidOperationException($"unknown end {finished.End}"),
        };
    }

    private string StepsWanted()
    {
        var (now, configured) = (_adjustments.ApplyTo(_options).Training.MaxSteps, _options.Training.MaxSteps);
        return now == configured
            ? $"training.max-steps is {now}; raise it to go on"
            : $"max-steps was set to {now} while the run went on; give training.max-steps another value than {configured}, which counts instead, to go on";
    }

    private void Conclude(RunOutcome outcome)
    {
        _outcome ??= outcome;
        foreach (var child in _children)
            Context.Stop(child);
        if (_children.Count == 0)
            Context.Stop(Self);
    }

    private void OnTerminated(Terminated terminated)
    {
        _children.Remove(terminated.ActorRef);
        // A child that stops by itself leaves a run that would wait for ever.
        _outcome ??= new RunOutcome.Failed($"actor {terminated.ActorRef.Path} stopped unexpectedly", ExitCodes.TryAgain, null);
        Conclude(_outcome);
    }

    private IActorRef Start(Props props, string name)
    {
        var child = Context.Watch(Context.ActorOf(props, name));
        _children.Add(child);
        return child;
    }

    private void Publish(RunProtocol.IEvent happened) => _events.Publish(happened);
}
