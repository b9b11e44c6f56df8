using System.Diagnostics;

namespace Streaming.Model.Measurement;

/// <summary>One part of a process's start.</summary>
/// <param name="Name">What was done.</param>
/// <param name="From">When it began, in seconds since the process started.</param>
/// <param name="Seconds">How long it took. Parts overlap where threads work side by side.</param>
public sealed record StartPhase(string Name, double From, double Seconds);

/// <summary>
/// Where the time goes from the start of the process to the end of the first training step. Off until <see cref="Begin"/>, over with
/// <see cref="Complete"/>; outside of that it costs nothing. Thread-safe.
/// </summary>
public static class StartTrace
{
    private static readonly Lock s_gate = new();
    private static readonly List<StartPhase> s_phases = [];
    private static long s_origin; // timestamp of the process's start
    private static double s_firstStep;
    private static bool s_runs;

    /// <summary>The program's first statement: what came before was the runtime's own start.</summary>
    public static void Begin()
    {
        var before = DateTime.Now - Process.GetCurrentProcess().StartTime; // kept in hundredths of a second
        s_origin = Stopwatch.GetTimestamp() - (long)(Math.Max(0, before.TotalSeconds) * Stopwatch.Frequency);
        s_runs = true;
        Add("runtime", s_origin);
    }

    /// <summary>A phase that ends when the result is disposed.</summary>
    public static Scope Phase(string name) => new(name, Stopwatch.GetTimestamp());

    /// <summary>The first step is done; later calls mean nothing.</summary>
    public static void Complete()
    {
        lock (s_gate)
        {
            if (!s_runs) return;
            s_runs = false;
            s_firstStep = Stopwatch.GetElapsedTime(s_origin).TotalSeconds;
        }
    }

    /// <summary>Seconds from the start of the process to the end of its first step, and the phases in the order of their beginnings; null before.</summary>
    public static (double FirstStep, IReadOnlyList<StartPhase> Phases)? Result
    {
        get
        {
            lock (s_gate)
                return s_firstStep == 0 ? null : (s_firstStep, [.. s_phases.OrderBy(phase => phase.From)]);
        }
    }

    /// <summary>A phase that is over, from a timestamp of <see cref="Stopwatch"/> on.</summary>
    public static void Add(string name, long began)
    {
        if (!s_runs) return;
        var now = Stopwatch.GetTimestamp();
        lock (s_gate)
            if (s_runs) s_phases.Add(new StartPhase(name, Stopwatch.GetElapsedTime(s_origin, began).TotalSeconds, Stopwatch.GetElapsedTime(began, now).TotalSeconds));
    }

    /// <summary>See <see cref="Phase"/>.</summary>
    public readonly struct Scope(string name, long began) : IDisposable
    {
        public void Dispose() => Add(name, began);
    }
}
