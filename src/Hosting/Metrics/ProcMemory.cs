using System.Buffers.Text;

namespace Streaming.Hosting.Metrics;

/// <summary>What Linux says about the memory of this process and of the machine; zeros on another system.</summary>
internal readonly record struct ProcMemory(double ResidentBytes, double PeakBytes, double HostAvailableBytes, double HostBytes)
{
    public static ProcMemory Read()
    {
        Span<byte> buffer = stackalloc byte[8192];
        var status = ReadFile("/proc/self/status", buffer);
        var (resident, peak) = (Field(status, "VmRSS:"u8), Field(status, "VmHWM:"u8));
        var machine = ReadFile("/proc/meminfo", buffer);
        return new ProcMemory(resident, peak, Field(machine, "MemAvailable:"u8), Field(machine, "MemTotal:"u8));
    }

    private static ReadOnlySpan<byte> ReadFile(string path, Span<byte> buffer)
    {
        try
        {
            using var file = File.OpenHandle(path);
            return buffer[..RandomAccess.Read(file, buffer, 0)];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>A line like <c>VmRSS:     1234 kB</c>.</summary>
    private static double Field(ReadOnlySpan<byte> text, ReadOnlySpan<byte> name)
    {
        var at = text.IndexOf(name);
        if (at < 0)
            return 0;
        return Utf8Parser.TryParse(text[(at + name.Length)..].TrimStart((byte)' ').TrimStart((byte)'\t').TrimStart((byte)' '), out long kilobytes, out _) ? kilobytes * 1024.0 : 0;
    }
}
