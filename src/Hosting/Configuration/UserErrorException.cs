namespace Streaming.Hosting.Configuration;

/// <summary>Mistakes of the user, one sentence each: they are printed without a stack trace.</summary>
/// <param name="sentences">What is wrong, with the value and the remedy.</param>
/// <param name="exitCode">What the process ends with: see <see cref="ExitCodes"/>.</param>
internal sealed class UserErrorException(IReadOnlyList<string> sentences, int exitCode = ExitCodes.WrongUsage) : Exception(string.Join('\n', sentences))
{
    public UserErrorException(string sentence, int exitCode = ExitCodes.WrongUsage)
        : this([sentence], exitCode)
    {
    }

    public IReadOnlyList<string> Sentences { get; } = sentences;

    public int ExitCode { get; } = exitCode;
}

/// <summary>What the process tells its parent.</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>Something failed while it ran.</summary>
    public const int Failed = 1;

    /// <summary>The command line or the configuration is wrong; nothing was started.</summary>
    public const int WrongUsage = 2;

    /// <summary>Stopped by a signal, after a checkpoint: 130 for SIGINT, 143 for SIGTERM, as shells have it.</summary>
    public static int StoppedBy(int signal) => 128 + signal;
}
