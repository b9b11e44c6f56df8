using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Runs;

/// <summary>
/// Ends the process where the run makes no progress for too long, so that whoever watches it starts it again; and tells systemd
/// (<c>WatchdogSec=</c>) that it is alive for as long as it does. Only what the run does counts: a step, an evaluation, a checkpoint, a pause
/// that an operator asked for. On a thread of its own, which a starved thread pool does not stop.
/// </summary>
internal sealed class Watchdog : IRunObserver, IDisposable
{
    private static readonly ServiceState s_alive = new("WATCHDOG=1");
    private static readonly TimeSpan s_longestInterval = TimeSpan.FromSeconds(10);

    private readonly TimeSpan _timeout;
    private readonly ISystemdNotifier? _notifier;
    private readonly Action<TimeSpan, string> _onHang;
    private readonly TimeProvider _time;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Lock _lock = new();
    private long _progressAt;
    private RunProtocol.IEvent? _last;

    /// <param name="timeout">The longest time without progress.</param>
    /// <param name="notifier">systemd; null where it does not watch.</param>
    /// <param name="time">The clock.</param>
    /// <param name="onHang">Called once, with the time without progress and the last of it.</param>
    /// <param name="interval">Time between two looks; null is that of systemd or ten seconds, whichever is less.</param>
    public Watchdog(TimeSpan timeout, ISystemdNotifier? notifier, TimeProvider time, Action<TimeSpan, string> onHang, TimeSpan? interval = null)
    {
        (_timeout, _notifier, _time, _onHang) = (timeout, notifier, time, onHang);
        _progressAt = time.GetTimestamp();
        var wait = interval ?? Interval(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), timeout);
        new Thread(() => Watch(wait)) { IsBackground = true, Name = "watchdog" }.Start();
    }

    /// <summary>One that ends the process with <see cref="ExitCodes.NoProgress"/>.</summary>
    public static Watchdog ForProcess(TimeSpan timeout, ISystemdNotifier? notifier, Screen screen) => new(timeout, notifier, TimeProvider.System, (age, last) =>
        StopSignals.ExitTelling(ExitCodes.NoProgress, () => screen.WriteError(
            $"streaming: no progress for {Quantity.Time(age)} since {last}, {Keys.WatchdogTimeout.Path} is {Quantity.Time(timeout)}; the process ends with code {ExitCodes.NoProgress} and goes on from its last checkpoint when it is started again.")));

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is RunProtocol.Ended)
            _stop.Set(); // what follows has its own limits
        if (!IsProgress(happened))
            return;
        lock (_lock)
            (_progressAt, _last) = (_time.GetTimestamp(), happened);
    }

    public void Dispose() => _stop.Set();

    /// <summary>Half of what systemd allows, as its manual asks for.</summary>
    internal static TimeSpan Interval(string? watchdogMicroseconds, TimeSpan timeout)
    {
        var interval = timeout / 4 < s_longestInterval ? timeout / 4 : s_longestInterval;
        return long.TryParse(watchdogMicroseconds, NumberStyles.None, CultureInfo.InvariantCulture, out var allowed) && TimeSpan.FromMicroseconds(allowed) / 2 is var half && half < interval
            ? half
            : interval;
    }

    private void Watch(TimeSpan interval)
    {
        while (!_stop.Wait(interval))
        {
            TimeSpan age;
            RunProtocol.IEvent? last;
            lock (_lock)
                (age, last) = (_time.GetElapsedTime(_progressAt), _last);
            if (age < _timeout)
            {
                _notifier?.Notify(s_alive);
                continue;
            }
            _onHang(age, Describe(last));
            return;
        }
    }

    private static bool IsProgress(RunProtocol.IEvent happened) => happened is RunProtocol.Started or TrainerProtocol.StepCompleted or TrainerProtocol.EvaluationCompleted
        or CheckpointProtocol.Written or ControlProtocol.Paused or ControlProtocol.StillPaused or ControlProtocol.Resumed or RunProtocol.RolledBack;

    private static string Describe(RunProtocol.IEvent? progress) => progress switch
    {
        null => "the start of the process",
        RunProtocol.Started => "the start of the run",
        TrainerProtocol.StepCompleted step => string.Create(CultureInfo.InvariantCulture, $"step {step.Step}"),
        TrainerProtocol.EvaluationCompleted evaluation => string.Create(CultureInfo.InvariantCulture, $"the evaluation after step {evaluation.Step}"),
        CheckpointProtocol.Written written => string.Create(CultureInfo.InvariantCulture, $"the checkpoint after step {written.Step}"),
        RunProtocol.RolledBack => "a return to the last checkpoint",
        _ => "a pause",
    };
}
