using Streaming.Model;
using Streaming.Model.Fused;

namespace Streaming.Actors;

/// <summary>What follows from a failure.</summary>
internal enum Decision
{
    /// <summary>The trainer starts again from the newest whole checkpoint; counted, and bounded by <see cref="RollbackBudget"/>.</summary>
    RollBack,

    /// <summary>The run ends: trying again cannot help, or not in this process.</summary>
    EndRun,
}

/// <summary>Every failure of a run and what follows, in one place.</summary>
internal static class FailureTable
{
    internal static Decision Decide(Exception failure) => failure switch
    {
        TrainingFailedException { InnerException: RunRefusedException } => Decision.EndRun, // asked for what cannot be done
        TrainingFailedException { InnerException: ModelException } => Decision.EndRun, // a bad file or device stays one
        TrainingFailedException { InnerException: OutOfDeviceMemoryException } => Decision.EndRun, // the next try needs as much
        TrainingFailedException { InnerException: { } reason } when IsDeadDevice(reason) => Decision.EndRun, // only a new process gets a new context
        TrainingFailedException => Decision.RollBack, // a loss that is not a number, memory that ran out, an engine's exception
        _ => Decision.EndRun, // a fault in an actor that holds no state to go back to
    };

    /// <summary>How the run's outcome tells a failure: a mistake of the user is a sentence alone, a bug keeps its exception.</summary>
    /// <param name="failure">What a child failed with.</param>
    /// <param name="rollbacks">How often the run had returned to its last checkpoint because of it.</param>
    internal static RunOutcome.Failed Outcome(Exception failure, int rollbacks)
    {
        var training = failure as TrainingFailedException;
        var reason = training?.InnerException ?? failure;
        var again = rollbacks == 0 ? "" : $" (and again after {rollbacks} returns to the last checkpoint)";
        return reason switch
        {
            RunRefusedException or ModelException or OutOfDeviceMemoryException => new(reason.Message, training is { Begun: true } ? 1 : 2, null),
            NonFiniteLossException => new($"{reason.Message}{again}: lower training.learning-rate, or look at the text behind that step", 1, null),
            _ when IsOutOfMemory(reason) => new($"the GPU's memory is too small for this run ({reason.FirstLine()}){again}: lower training.per-device-train-batch-size or data.block-size", 1, null),
            _ when IsDeadDevice(reason) => new($"the GPU's context is dead ({reason.FirstLine()}): start the run again, it continues from its last checkpoint", 1, reason),
            _ => new($"{failure.FirstLine()}{again}", 1, reason),
        };
    }

    // Errors after which every further CUDA call of the process fails.
    private static bool IsDeadDevice(Exception failure) =>
        failure.Message.Contains("CUDA error", StringComparison.OrdinalIgnoreCase) && !IsOutOfMemory(failure);

    private static bool IsOutOfMemory(Exception failure) =>
        failure.Message.Contains("CUDA", StringComparison.OrdinalIgnoreCase)
        && failure.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase);
}
