using Streaming.Actors;

namespace Streaming.Hosting.Runs;

/// <summary>Wants to know what a run does: the console, the metrics, systemd.</summary>
internal interface IRunObserver
{
    /// <summary>Called with each event of the run, in order, one at a time; must not block.</summary>
    void Observe(RunProtocol.IEvent happened);
}
