using Akka.Actor;

namespace Streaming.Actors;

/// <summary>
/// What the host holds of a run: its outcome as a task, and the way to end it early. Made before the actor system and
/// handed to <see cref="StreamingRun.AddStreamingRun"/>; thread-safe.
/// </summary>
public sealed class RunHandle
{
    private readonly TaskCompletionSource<RunOutcome> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private IActorRef? _supervisor;
    private StopSignal? _requested;

    /// <summary>Completes once, with the run's end; never faults.</summary>
    public Task<RunOutcome> Outcome => _outcome.Task;

    /// <summary>Completes once the settings are found to fit and the run's folder is held; never where the run is refused before that.</summary>
    public Task Accepted => _accepted.Task;

    /// <summary>Asks the run to finish its step, write a checkpoint and end. Only the first call counts; harmless after the end.</summary>
    public void RequestStop(StopSignal signal)
    {
        lock (_lock)
        {
            if (_requested is not null || _outcome.Task.IsCompleted)
                return;
            _requested = signal;
            _supervisor?.Tell(new RunProtocol.Stop(signal));
        }
    }

    /// <summary>Asks something of the run.</summary>
    /// <param name="command">What, and who asks.</param>
    /// <param name="patience">How long to wait for the answer.</param>
    /// <returns>What came of it; null where no answer came in time: the command then takes effect later.</returns>
    public async Task<ControlProtocol.Answer?> AskAsync(ControlProtocol.Command command, TimeSpan patience)
    {
        IActorRef? supervisor;
        lock (_lock)
            supervisor = _supervisor;
        if (_outcome.Task.IsCompleted)
            return new ControlProtocol.Busy("the run has ended");
        if (supervisor is null)
            return new ControlProtocol.Busy("the run has not begun yet");
        try
        {
            return await supervisor.Ask<ControlProtocol.Answer>(command, patience).ConfigureAwait(false);
        }
        catch (AskTimeoutException)
        {
            return null;
        }
    }

    /// <summary>The supervisor is there: a stop asked for before now reaches it too.</summary>
    internal void Attach(IActorRef supervisor)
    {
        lock (_lock)
        {
            _supervisor = supervisor;
            if (_requested is { } signal)
                supervisor.Tell(new RunProtocol.Stop(signal));
        }
    }

    internal void Accept() => _accepted.TrySetResult();

    /// <returns>False where the run had already ended.</returns>
    internal bool End(RunOutcome outcome) => _outcome.TrySetResult(outcome);
}
