using System.Diagnostics;
using Microsoft.Extensions.Hosting.Systemd;
using Streaming.Actors;

namespace Streaming.Hosting.Runs;

/// <summary>Tells systemd that the run makes progress (<c>WatchdogSec=</c>): only what the run does counts, not a timer.</summary>
internal sealed class SystemdWatchdog(ISystemdNotifier notifier) : IRunObserver
{
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(1);
    private static readonly ServiceState _alive = new("WATCHDOG=1");

    private long? _told;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (_told is { } at && Stopwatch.GetElapsedTime(at) < _interval)
            return;
        notifier.Notify(_alive);
        _told = Stopwatch.GetTimestamp();
    }
}
