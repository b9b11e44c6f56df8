namespace Streaming.Hosting.Terminal;

/// <summary>systemd tells the processes of a service which socket leads to its journal (<c>JOURNAL_STREAM</c>, systemd.exec(5)).</summary>
internal static class JournalStream
{
    /// <summary>Whether standard output is that socket, and not a file or pipe to which it was redirected.</summary>
    public static bool IsStandardOutput() =>
        Environment.GetEnvironmentVariable("JOURNAL_STREAM") is { } stream && Leads(stream, new FileInfo("/proc/self/fd/1").LinkTarget);

    /// <param name="stream">The variable: the socket's device and inode.</param>
    /// <param name="target">What the descriptor links to: <c>socket:[inode]</c> for a socket.</param>
    internal static bool Leads(string stream, string? target) =>
        stream.Split(':') is [_, { Length: > 0 } inode] && target == $"socket:[{inode}]";
}
