using System.Globalization;

namespace Streaming.Streams.Measurement;

/// <summary>The process's memory as Linux counts it.</summary>
public static class ResidentMemory
{
    /// <summary>The largest resident memory since the start, or since <see cref="ForgetPeak"/>, in bytes; 0 where it cannot be told.</summary>
    public static long Peak => Read("VmHWM:");

    /// <summary>Resident memory now, in bytes.</summary>
    public static long Now => Read("VmRSS:");

    /// <summary>Begins a new peak; where the kernel does not let it, the old one goes on.</summary>
    public static void ForgetPeak()
    {
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Some containers forbid it; the peak then holds for the whole process.
        }
    }

    private static long Read(string field)
    {
        if (!File.Exists("/proc/self/status"))
            return 0;
        var line = File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(field, StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line[field.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) << 10;
    }
}
