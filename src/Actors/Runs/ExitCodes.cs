namespace Streaming.Actors;

/// <summary>
/// How the process ends, for shells and service managers: 1 and 2 want somebody to look at them, so that a service manager must not
/// start the run again by itself (<c>RestartPreventExitStatus=1 2</c>); every other failure goes on from the last checkpoint when it
/// is started again. docs/failures.md has the table.
/// </summary>
public static class ExitCodes
{
    /// <summary>All steps are done.</summary>
    public const int Done = 0;

    /// <summary>The run cannot go on, and starting it again would meet the same.</summary>
    public const int Failed = 1;

    /// <summary>Wrong usage or configuration.</summary>
    public const int WrongUsage = 2;

    /// <summary>The run cannot go on in this process; one that is started again goes on from the last checkpoint (<c>EX_TEMPFAIL</c> of sysexits.h).</summary>
    public const int TryAgain = 75;

    /// <summary>No step was taken for too long (the code of <c>timeout(1)</c>); as <see cref="TryAgain"/>.</summary>
    public const int NoProgress = 124;

    /// <summary>Stopped by a signal, as a shell reports it: 129 for SIGHUP, 130 for Ctrl-C, 143 for SIGTERM.</summary>
    public static int StoppedBy(int signal) => 128 + signal;
}
