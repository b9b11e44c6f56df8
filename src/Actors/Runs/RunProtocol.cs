namespace Streaming.Actors;

/// <summary>What a run is told and what it says. Every event of every actor goes to the system's event stream as an <see cref="IEvent"/>.</summary>
public static class RunProtocol
{
    public interface ICommand;

    /// <summary>Anything an observer may want to know; subscribe to this type to see all of a run.</summary>
    public interface IEvent;

    /// <summary>Finish the step, write a checkpoint, end the run. The first one decides the outcome's signal.</summary>
    public sealed record Stop(StopSignal Signal) : ICommand;

    /// <summary>The model is loaded and the text is open: the next event is a step, or the end.</summary>
    /// <param name="RunDirectory">Full path of the run's folder.</param>
    /// <param name="Engine">What computes, for people.</param>
    /// <param name="ParameterCount">Parameters of the model.</param>
    /// <param name="Step">Optimiser steps already taken.</param>
    /// <param name="Tokens">Tokens already trained on.</param>
    /// <param name="MaxSteps">Optimiser steps of the whole run.</param>
    /// <param name="Device"><c>cpu</c> or <c>cuda:N</c>; null where it is not known.</param>
    /// <param name="DeviceBytes">Device memory that the engine has allocated; null where it does not say.</param>
    /// <param name="Checkpoint">The checkpoint folder the run continues from; null for a run from the beginning.</param>
    /// <param name="EvaluationLoss">Of the run's last evaluation, nats per predicted token; null where there was none.</param>
    public sealed record Started(
        string RunDirectory, string Engine, long ParameterCount, long Step, long Tokens, long MaxSteps, string? Checkpoint,
        string? Device = null, long? DeviceBytes = null, double? EvaluationLoss = null) : IEvent;

    /// <summary>The trainer failed and starts again from the newest whole checkpoint.</summary>
    /// <param name="Reason">What failed.</param>
    /// <param name="Rollback">How many times in a row without getting past the failed step, this one included.</param>
    /// <param name="Limit">The number at which the run fails instead.</param>
    /// <param name="Kind">The kind of failure, as a metric's label has it.</param>
    public sealed record RolledBack(string Reason, int Rollback, int Limit, string Kind = "other") : IEvent;

    /// <summary>Something an operator should read; the run goes on.</summary>
    public sealed record Noticed(string Sentence) : IEvent;

    /// <summary>The last event of a run.</summary>
    public sealed record Ended(RunOutcome Outcome) : IEvent;
}
