using System.Diagnostics;

namespace Streaming.Streams.Measurement;

/// <summary>Time that passes between two events again and again, a stretch that has not ended included. One writer; may be read at any time.</summary>
internal sealed class StallClock
{
    private long _ticks;
    private long _since; // 0: it stands

    public TimeSpan Total
    {
        get
        {
            var since = Volatile.Read(ref _since);
            var ticks = Volatile.Read(ref _ticks);
            return new TimeSpan(ticks) + (since == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(since));
        }
    }

    public void Start(long now) => Volatile.Write(ref _since, now);

    public void Stop(long now)
    {
        if (_since == 0)
            return;
        var ticks = _ticks + Stopwatch.GetElapsedTime(_since, now).Ticks;
        Volatile.Write(ref _since, 0);
        Volatile.Write(ref _ticks, ticks);
    }
}
