namespace Streaming.Actors;

/// <summary>How a run ended: one sentence for people, one exit code for the process.</summary>
/// <param name="Sentence">What happened and, where something is wrong, what to do about it.</param>
/// <param name="ExitCode">0 done, 1 failed, 2 wrong usage or configuration, 0 stopped by an operator, 129, 130 or 143 by a signal, after a checkpoint.</param>
public abstract record RunOutcome(string Sentence, int ExitCode)
{
    /// <summary>All steps are done, or the sources are used up.</summary>
    public sealed record Completed(string Sentence) : RunOutcome(Sentence, 0);

    /// <summary>A signal or an operator asked for the end, and a checkpoint holds everything up to the last step.</summary>
    public sealed record Stopped(StopSignal Signal, string Sentence) : RunOutcome(Sentence, (int)Signal);

    /// <summary>The run cannot go on.</summary>
    /// <param name="Sentence">What failed, the value, the remedy.</param>
    /// <param name="ExitCode">1, or 2 where the run never began because of what it was asked to do.</param>
    /// <param name="Bug">The exception where the fault is the program's and its stack trace is worth showing; null for a user's mistake.</param>
    public sealed record Failed(string Sentence, int ExitCode, Exception? Bug) : RunOutcome(Sentence, ExitCode);
}

/// <summary>Who asked a run to stop; the value is the exit code that shells expect.</summary>
public enum StopSignal
{
    /// <summary>An operator, through the control interface: the run is where it should be, and a service manager leaves it there.</summary>
    Operator = 0,

    /// <summary>SIGHUP: the terminal that the run was started from is gone.</summary>
    HangUp = 129,

    /// <summary>SIGINT, Ctrl-C.</summary>
    Interrupt = 130,

    /// <summary>SIGTERM, a service manager, the host's shutdown.</summary>
    Terminate = 143,
}
