using System.Globalization;
using System.Runtime.InteropServices;

namespace Streaming.Model.Fused.Offload;

/// <summary>How much host memory this process may take: what the machine has free, within the limits of its control groups.</summary>
public static partial class HostLimits
{
    private const int LockedMemoryLimit = 8, AddressSpaceLimit = 9; // RLIMIT_MEMLOCK, RLIMIT_AS
    private const ulong Unlimited = ulong.MaxValue;

    /// <summary>Bytes that can be taken without swapping or being killed; <see cref="long.MaxValue"/> where the system does not say.</summary>
    public static long Available() => Available("/");

    /// <param name="root">What stands for the file system's root.</param>
    internal static long Available(string root)
    {
        var available = MachineAvailable(Path.Combine(root, "proc/meminfo"));
        foreach (var folder in ControlGroups(root))
        {
            // Version 2, then version 1. Pages of files can be given back.
            available = Math.Min(available, Left(folder, "memory.max", "memory.current", "inactive_file"));
            available = Math.Min(available, Left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"));
        }
        return available;
    }

    /// <summary>What <c>ulimit -l</c> says, in words.</summary>
    public static string LockedMemory() =>
        getrlimit(LockedMemoryLimit, out var limit) != 0 ? "an unknown amount"
        : limit.Soft == Unlimited ? "any amount" : $"{(limit.Soft / 1024).ToString(CultureInfo.InvariantCulture)} KiB";

    /// <summary>What <c>ulimit -v</c> says, in bytes; null where it sets no limit.</summary>
    public static long? AddressSpace() =>
        getrlimit(AddressSpaceLimit, out var limit) == 0 && limit.Soft <= long.MaxValue ? (long)limit.Soft : null;

    /// <summary>This process's largest resident size so far, in bytes; 0 where the system does not say.</summary>
    public static long PeakResident() => Kibibytes("/proc/self/status", "VmHWM:") ?? 0;

    private static long MachineAvailable(string path) => Kibibytes(path, "MemAvailable:") ?? long.MaxValue;

    private static long? Kibibytes(string path, string name)
    {
        foreach (var line in Lines(path))
            if (line.StartsWith(name, StringComparison.Ordinal)
                && long.TryParse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var kibibytes))
                return kibibytes * 1024;
        return null;
    }

    // The process's group and all above it; within a container its own group is mounted as the root.
    private static IEnumerable<string> ControlGroups(string root)
    {
        var mounted = Path.Combine(root, "sys/fs/cgroup");
        foreach (var line in Lines(Path.Combine(root, "proc/self/cgroup")))
        {
            var parts = line.Split(':', 3);
            if (parts.Length != 3 || parts[1].Length > 0 && !parts[1].Split(',').Contains("memory")) continue;
            var hierarchy = parts[1].Length > 0 ? Path.Combine(mounted, "memory") : mounted;
            for (var group = parts[2].Trim('/'); ; group = Path.GetDirectoryName(group) ?? "")
            {
                yield return Path.Combine(hierarchy, group);
                if (group.Length == 0) break;
            }
        }
    }

    private static long Left(string folder, string limit, string usage, string reclaimable)
    {
        // "max", or version 1's number beyond all memory, is no limit.
        if (Number(Path.Combine(folder, limit)) is not { } most || most > long.MaxValue / 2 || Number(Path.Combine(folder, usage)) is not { } used)
            return long.MaxValue;
        var files = Lines(Path.Combine(folder, "memory.stat")).Select(line => line.Split(' ')).FirstOrDefault(parts => parts[0] == reclaimable);
        var free = files is { Length: 2 } && long.TryParse(files[1], NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) ? bytes : 0;
        return Math.Max(0, most - used + free);
    }

    private static long? Number(string path) =>
        long.TryParse(Lines(path).FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;

    private static string[] Lines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private struct Limit
    {
        public ulong Soft, Hard;
    }

    [LibraryImport("libc")] private static partial int getrlimit(int resource, out Limit limit);
}
