using System.Globalization;
using System.Runtime.InteropServices;
using Streaming.Actors;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Runs;

/// <summary>SIGINT, SIGTERM and SIGHUP (the terminal is gone; <c>nohup</c> leaves it ignored): the first asks the run to end with a checkpoint, the second ends the process at once.</summary>
internal sealed partial class StopSignals : IDisposable
{
    private const int HangUp = 1; // SIGHUP
    private const int Interrupt = 2; // SIGINT
    private const nint DefaultDisposition = 0; // SIG_DFL
    private const string Status = "/proc/self/status";

    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly TaskCompletionSource<StopSignal> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StopSignals(RunHandle run, Screen screen)
    {
        HeedInterrupt();
        Register(PosixSignal.SIGINT, StopSignal.Interrupt);
        Register(PosixSignal.SIGTERM, StopSignal.Terminate);
        if (!IsIgnored(HangUp))
            Register(PosixSignal.SIGHUP, StopSignal.HangUp);

        void Register(PosixSignal signal, StopSignal stop) => _registrations.Add(PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true; // the run ends the process, not the runtime
            if (!_first.TrySetResult(stop))
                Exit((int)stop);
            run.RequestStop(stop);
            screen.WriteNotice($"{signal}: finishing the step and writing a checkpoint; a second signal ends at once without.");
        }));
    }

    /// <summary>
    /// A shell starts background jobs with SIGINT ignored, which the runtime would honour: kill -INT must stop them too.
    /// </summary>
    public static void HeedInterrupt() => SetDisposition(Interrupt, DefaultDisposition);

    /// <summary>Whoever started the process wants it to outlive the signal, as <c>nohup</c> does: a handler would undo that.</summary>
    private static bool IsIgnored(int signal) => File.Exists(Status)
        && File.ReadLines(Status).FirstOrDefault(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) is { } line
        && ulong.TryParse(line.AsSpan("SigIgn:".Length), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var ignored)
        && (ignored >> (signal - 1) & 1) == 1;

    /// <summary>Completes with the first signal.</summary>
    public Task<StopSignal> First => _first.Task;

    public void Dispose() => _registrations.ForEach(r => r.Dispose());

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetDisposition(int signal, nint disposition);

    /// <summary>Ends the process as <see cref="Exit"/> does, after telling why: for a moment only, since what hangs may be the disk that the log is on.</summary>
    public static void ExitTelling(int code, Action tell)
    {
        var telling = new Thread(() => tell()) { IsBackground = true };
        telling.Start();
        telling.Join(TimeSpan.FromSeconds(5));
        Exit(code);
    }

    /// <summary>Ends the process without its exit handlers: native code may be in the middle of a step.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void Exit(int code);
}
