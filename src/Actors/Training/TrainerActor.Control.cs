using System.Diagnostics;
using Akka.Actor;

namespace Streaming.Actors;

/// <summary>What operators ask of the trainer, done between two pieces of its work.</summary>
internal sealed partial class TrainerActor
{
    private static readonly TimeSpan s_heartbeat = TimeSpan.FromSeconds(1);

    private (TrainerProtocol.Sample Wanted, IActorRef By)? _sample;
    private long? _pausedAt;

    /// <summary>Once a second of a pause: the trainer still listens.</summary>
    private sealed class Tick;

    private void OnAdjust(TrainerProtocol.Adjust adjust)
    {
        var changes = _options with { Paused = adjust.Options.Paused } != adjust.Options;
        _options = adjust.Options;
        _session?.Adjust(_options);
        _agenda?.Adjust(_options);
        if (_session is not { } session || _agenda is null)
            return;
        if (changes)
            Publish(new ControlProtocol.Changed(session.Step, _options));
        if (_options.Paused)
            Pause();
        else
            Unpause();
        Answer(new ControlProtocol.Done(session.Step, $"in force after step {session.Step}"));
    }

    private void OnSaveCheckpoint(Agenda agenda, TrainerProtocol.SaveCheckpoint order)
    {
        if (agenda.Keeps(agenda.Step))
        {
            Answer(new ControlProtocol.Busy($"a checkpoint holds step {agenda.Step} already, or is being written"));
            return;
        }
        Accept(order);
        agenda.RequestSnapshot();
        Answer(new ControlProtocol.Done(agenda.Step, $"a checkpoint of step {agenda.Step} is being written"));
    }

    private void OnEvaluate(Agenda agenda, TrainerProtocol.Evaluate order)
    {
        if (agenda.Evaluating)
        {
            Answer(new ControlProtocol.Busy("an evaluation is under way"));
            return;
        }
        if (_heldOut is { Count: 0 })
        {
            Answer(new ControlProtocol.Busy("there is no held-out text: raise data.validation-fraction"));
            return;
        }
        Accept(order);
        agenda.RequestEvaluation();
        Answer(new ControlProtocol.Done(agenda.Step, $"evaluating after step {agenda.Step}"));
    }

    private void OnSample(Agenda agenda, TrainerProtocol.Sample wanted)
    {
        if (_sample is not null || agenda.End is not null)
        {
            Answer(new ControlProtocol.Busy(_sample is null ? "the run is ending" : "another sample is being generated"));
            return;
        }
        Accept(wanted);
        _sample = (wanted, Sender);
        agenda.RequestSample();
    }

    private static void Accept(TrainerProtocol.Order order)
    {
        if (order.By is { } command)
            Publish(new ControlProtocol.Commanded(command.By, command.What));
    }

    private void Answer(ControlProtocol.Answer answer)
    {
        if (!Sender.IsNobody())
            Sender.Tell(answer);
    }

    /// <returns>False: no work follows until a command comes.</returns>
    private bool Pause()
    {
        if (_pausedAt is not null)
            return false;
        _pausedAt = Stopwatch.GetTimestamp();
        Publish(new ControlProtocol.Paused(_session!.Step));
        Timers.StartPeriodicTimer(s_heartbeat, new Tick(), s_heartbeat);
        return false;
    }

    private void Unpause()
    {
        if (_pausedAt is not { } since)
            return;
        _pausedAt = null;
        Timers.Cancel(s_heartbeat);
        _session!.Exclude(Stopwatch.GetElapsedTime(since));
        Publish(new ControlProtocol.Resumed(_session.Step));
    }

    private void OnTick()
    {
        if (_pausedAt is not null)
            Publish(new ControlProtocol.StillPaused(_session!.Step));
    }
}
