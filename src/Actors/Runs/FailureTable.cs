using Streaming.Model;
using Streaming.Model.Fused;
using Streaming.Streams.Sources;

namespace Streaming.Actors;

/// <summary>What follows from a failure.</summary>
internal enum Decision
{
    /// <summary>The trainer starts again from the newest whole checkpoint.</summary>
    RollBack,

    /// <summary>Likewise, and the text of the step that failed is left out, and recorded.</summary>
    RollBackAndSkip,

    /// <summary>Everything up to the failure is kept in a checkpoint, and the trainer starts again from there.</summary>
    KeepAndRestart,

    /// <summary>The run ends, with a checkpoint where the engine still works: trying again cannot help, or not in this process.</summary>
    EndRun,
}

/// <summary>What can go wrong in a run and reaches its supervisor. What does not is in docs/failures.md beside it.</summary>
internal enum FailureKind
{
    Refused,
    DamagedFile,
    SourceOutage,
    TextFault,
    NonFiniteLoss,
    Spike,
    DeviceTooSmall,
    OutOfDeviceMemory,
    DeadDevice,
    EngineFault,
    ActorFault,
}

/// <param name="Decision">What follows.</param>
/// <param name="Waits">Whether there is a wait before a return, longer each time: where the cause may pass by itself.</param>
/// <param name="ExitCode">Of the process, where the run ends by it or its returns are used up.</param>
internal sealed record FailureRow(Decision Decision, bool Waits, int ExitCode);

/// <summary>
/// Every failure of a run and what follows, in one place; docs/failures.md is the same table for people. Returns to a checkpoint are
/// counted by <see cref="RollbackBudget"/>, and at its limit the run ends with the row's exit code.
/// </summary>
internal static class FailureTable
{
    internal static FailureRow RowOf(FailureKind kind) => kind switch
    {
        FailureKind.Refused => new(Decision.EndRun, false, ExitCodes.WrongUsage), // asked for what cannot be done
        FailureKind.DamagedFile => new(Decision.EndRun, false, ExitCodes.Failed), // a bad file stays one
        FailureKind.SourceOutage => new(Decision.KeepAndRestart, true, ExitCodes.TryAgain), // after the retries of the source itself
        FailureKind.TextFault => new(Decision.KeepAndRestart, true, ExitCodes.Failed), // the same text would meet the same fault
        FailureKind.NonFiniteLoss => new(Decision.RollBackAndSkip, false, ExitCodes.Failed), // somebody must look at it
        FailureKind.Spike => new(Decision.RollBackAndSkip, false, ExitCodes.Failed), // likewise
        FailureKind.DeviceTooSmall => new(Decision.EndRun, false, ExitCodes.Failed), // the next try needs as much
        FailureKind.OutOfDeviceMemory => new(Decision.RollBack, true, ExitCodes.Failed), // a new engine begins with all of the memory
        FailureKind.DeadDevice => new(Decision.EndRun, false, ExitCodes.TryAgain), // only a new process gets a new context
        FailureKind.EngineFault => new(Decision.RollBack, true, ExitCodes.TryAgain),
        _ => new(Decision.EndRun, false, ExitCodes.TryAgain), // a fault in an actor that holds no state to go back to
    };

    internal static FailureKind KindOf(Exception failure) => failure switch
    {
        TrainingFailedException { InnerException: { } reason } => KindInTraining(reason),
        _ => KindOutside(failure),
    };

    /// <summary>What the text path failed with.</summary>
    internal static FailureKind KindOfText(Exception failure) => failure switch
    {
        SourceOutageException => FailureKind.SourceOutage,
        SourceException or InvalidDataException => FailureKind.DamagedFile, // the latter is the tokenizer's
        _ => FailureKind.TextFault,
    };

    /// <summary>How the run's outcome tells a failure: a mistake of the user is a sentence alone, a bug keeps its exception.</summary>
    /// <param name="failure">What a child failed with.</param>
    /// <param name="rollbacks">How often the run had returned to its last checkpoint because of it.</param>
    internal static RunOutcome.Failed Outcome(Exception failure, int rollbacks)
    {
        var training = failure as TrainingFailedException;
        var reason = training?.InnerException ?? failure;
        var again = rollbacks == 0 ? "" : $" (and again after {rollbacks} returns to the last checkpoint)";
        var kind = KindOf(failure);
        // What is refused before the first step is wrong usage; the same after it is not.
        var code = kind is FailureKind.Refused or FailureKind.DamagedFile or FailureKind.DeviceTooSmall
            ? training is { Begun: true } ? ExitCodes.Failed : ExitCodes.WrongUsage
            : RowOf(kind).ExitCode;
        return reason switch
        {
            TextFailedException text => TextFailure.Outcome(text.InnerException!, true, text.Kept, rollbacks),
            RunRefusedException or ModelException or OutOfDeviceMemoryException => new(reason.Message, code, null),
            NonFiniteLossException or LossSpikeException => new($"{reason.Message}{again}: lower training.learning-rate, or look at the text behind that step", code, null),
            _ when kind == FailureKind.OutOfDeviceMemory => new($"the GPU's memory is too small for this run ({reason.FirstLine()}){again}: lower training.per-device-train-batch-size or data.block-size", code, null),
            _ when kind == FailureKind.DeadDevice => new($"the GPU's context is dead ({reason.FirstLine()}): start the run again, it continues from its last checkpoint", code, reason),
            _ => new($"{failure.FirstLine()}{again}", code, reason),
        };
    }

    private static FailureKind KindInTraining(Exception reason) => reason switch
    {
        TextFailedException text => KindOfText(text.InnerException!),
        NonFiniteLossException => FailureKind.NonFiniteLoss,
        LossSpikeException => FailureKind.Spike,
        _ when KindOutside(reason) is var kind and not FailureKind.ActorFault => kind,
        _ => FailureKind.EngineFault,
    };

    private static FailureKind KindOutside(Exception failure) => failure switch
    {
        RunRefusedException => FailureKind.Refused,
        OutOfDeviceMemoryException => FailureKind.DeviceTooSmall,
        ModelException => FailureKind.DamagedFile, // or a device that is not there
        _ when IsOutOfMemory(failure) => FailureKind.OutOfDeviceMemory,
        _ when IsDeadDevice(failure) => FailureKind.DeadDevice,
        _ => FailureKind.ActorFault,
    };

    // Errors after which every further CUDA call of the process fails. libtorch says "CUDA error: …", the driver's own calls "CUDA: … failed with CUDA_ERROR_…".
    private static bool IsDeadDevice(Exception failure) =>
        (failure.Message.Contains("CUDA error", StringComparison.OrdinalIgnoreCase) || failure.Message.Contains("CUDA_ERROR_", StringComparison.Ordinal))
        && !IsOutOfMemory(failure);

    private static bool IsOutOfMemory(Exception failure) =>
        failure.Message.Contains("CUDA_ERROR_OUT_OF_MEMORY", StringComparison.Ordinal)
        || (failure.Message.Contains("CUDA", StringComparison.OrdinalIgnoreCase)
            && failure.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase));
}
