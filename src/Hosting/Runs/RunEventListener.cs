using Akka.Actor;
using Akka.Event;
using Streaming.Actors;

namespace Streaming.Hosting.Runs;

/// <summary>Brings every event of the run from the actor system's event stream to the observers.</summary>
internal sealed class RunEventListener : ReceiveActor
{
    private readonly TaskCompletionSource _ended;

    /// <param name="observers">Called in this order. One that throws is logged and called again with the next event.</param>
    /// <param name="ended">Completes once every observer has seen <see cref="RunProtocol.Ended"/>.</param>
    public RunEventListener(IReadOnlyList<IRunObserver> observers, TaskCompletionSource ended)
    {
        _ended = ended;
        Receive<RunProtocol.IEvent>(happened =>
        {
            foreach (var observer in observers)
            {
                try
                {
                    observer.Observe(happened);
                }
                catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
                {
                    Context.GetLogger().Warning("{0} has no place at {1}: {2}", observer.GetType().Name, happened.GetType().Name, failure.Message); // the disk's, not this program's
                }
                catch (Exception failure)
                {
                    Context.GetLogger().Warning(failure, "{0} failed at {1}", observer.GetType().Name, happened.GetType().Name);
                }
            }
            if (happened is RunProtocol.Ended)
                ended.TrySetResult();
        });
    }

    protected override void PostStop() => _ended.TrySetResult();
}
