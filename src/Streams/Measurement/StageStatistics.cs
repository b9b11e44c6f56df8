using System.Text;

namespace Streaming.Streams.Measurement;

/// <summary>What one stage has done so far. May be read at any time, from any thread.</summary>
/// <param name="name">As a metric's label has it.</param>
public sealed class StageStatistics(string name)
{
    private readonly Lock _lock = new();
    private StallClock[] _upstream = [], _downstream = [];
    private long _batches, _lines, _bytes, _tokens, _busyTicks, _waitingTicks;

    public string Name => name;

    /// <summary>Batches that have left the stage.</summary>
    public long Batches => Volatile.Read(ref _batches);

    /// <summary>Lines that came in (reading: lines read; 0 where tokens are worked on).</summary>
    public long Lines => Volatile.Read(ref _lines);

    /// <summary>Bytes of the sources, uncompressed, that the work stood for; 0 where tokens are worked on.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Tokens that have left the stage.</summary>
    public long Tokens => Volatile.Read(ref _tokens);

    /// <summary>Time at work, summed over the workers.</summary>
    public TimeSpan Busy => new(Volatile.Read(ref _busyTicks));

    /// <summary>
    /// Reading and the queue: time held back by what follows. Normalising and tokenising: time that batches stood ready
    /// before a worker took them.
    /// </summary>
    public TimeSpan Waiting => new(Volatile.Read(ref _waitingTicks));

    /// <summary>Time that it had asked for work and there was none, summed over the sources: what comes before it is slower.</summary>
    public TimeSpan StalledUpstream => Sum(Volatile.Read(ref _upstream));

    /// <summary>Time that its result was not asked for, summed over the sources: what comes after it is slower.</summary>
    public TimeSpan StalledDownstream => Sum(Volatile.Read(ref _downstream));

    public override string ToString()
    {
        var text = new StringBuilder($"{name}: {Batches} batches, {Lines} lines, {Bytes} bytes");
        if (Tokens > 0)
            text.Append($", {Tokens} tokens");
        return text.Append($", busy {Busy.TotalSeconds:F2} s, waiting {Waiting.TotalSeconds:F2} s").ToString();
    }

    /// <summary>Counts one batch.</summary>
    internal void Add(long bytes, long lines, TimeSpan busy, TimeSpan waiting = default, long tokens = 0)
    {
        Interlocked.Increment(ref _batches);
        Interlocked.Add(ref _lines, lines);
        Interlocked.Add(ref _bytes, bytes);
        Interlocked.Add(ref _busyTicks, busy.Ticks);
        if (tokens != 0)
            Interlocked.Add(ref _tokens, tokens);
        AddWaiting(waiting);
    }

    /// <summary>A clock that runs while the stage waits for work.</summary>
    internal void AddUpstream(StallClock clock) => Add(ref _upstream, clock);

    /// <summary>A clock that runs while its result waits to be taken.</summary>
    internal void AddDownstream(StallClock clock) => Add(ref _downstream, clock);

    internal void AddBusy(TimeSpan busy) => Interlocked.Add(ref _busyTicks, busy.Ticks);

    internal void AddWaiting(TimeSpan waiting)
    {
        if (waiting != TimeSpan.Zero)
            Interlocked.Add(ref _waitingTicks, waiting.Ticks);
    }

    private static TimeSpan Sum(StallClock[] clocks)
    {
        var sum = TimeSpan.Zero;
        foreach (var clock in clocks)
            sum += clock.Total;
        return sum;
    }

    private void Add(ref StallClock[] clocks, StallClock clock)
    {
        lock (_lock)
            Volatile.Write(ref clocks, [.. clocks, clock]);
    }
}
