using System.Globalization;
using System.Runtime.InteropServices;

namespace Streaming.Streams.Measurement;

/// <summary>Restricts the process to some of its processors, so that a path can be measured as on a smaller machine. Linux only.</summary>
public static partial class ProcessorCores
{
    /// <summary>Processors that the process may run on.</summary>
    public static int Available => Allowed().Count;

    /// <summary>Runs every thread of the process, and those they start, on so many processors until disposed.</summary>
    /// <param name="cores">1 up to <see cref="Available"/>.</param>
    public static IDisposable Restrict(int cores)
    {
        var allowed = Allowed();
        ArgumentOutOfRangeException.ThrowIfLessThan(cores, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(cores, allowed.Count);
        if (cores == allowed.Count)
            return new Restored(null);
        Apply(allowed.Take(cores));
        return new Restored(allowed);
    }

    private static List<int> Allowed()
    {
        var mask = new ulong[128];
        if (GetAffinity(0, mask.Length * sizeof(ulong), mask) < 0)
            return [.. Enumerable.Range(0, Environment.ProcessorCount)];
        return [.. Enumerable.Range(0, mask.Length * 64).Where(core => (mask[core / 64] >> (core % 64) & 1) != 0)];
    }

    private static void Apply(IEnumerable<int> cores)
    {
        var mask = new ulong[128];
        foreach (var core in cores)
            mask[core / 64] |= 1UL << (core % 64);
        // The mask belongs to a thread. Those that start meanwhile have that of the thread that starts them: hence twice.
        for (var pass = 0; pass < 2; pass++)
            foreach (var thread in Directory.GetDirectories("/proc/self/task"))
                _ = SetAffinity(int.Parse(Path.GetFileName(thread), CultureInfo.InvariantCulture), mask.Length * sizeof(ulong), mask);
    }

    private sealed class Restored(List<int>? cores) : IDisposable
    {
        public void Dispose()
        {
            if (cores is not null)
                Apply(cores);
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nint bytes, [Out] ulong[] mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nint bytes, ulong[] mask);
}
