using Streaming.Model;
using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Streams;

namespace Streaming.Actors;

/// <summary>Everything that one run is, resolved and validated.</summary>
public sealed record RunOptions
{
    /// <summary>The run's folder: <c>checkpoints/</c>, <c>metrics.jsonl</c>, <c>logs/</c>, <c>config.hocon</c>.</summary>
    public required string RunDirectory { get; init; }

    public required MistralConfig Model { get; init; }

    /// <summary>Folder (or file) of safetensors to start from; null draws weights from the seed.</summary>
    public string? InitialWeights { get; init; }
    public required PipelineOptions Data { get; init; }
    public required OptimizerOptions Optimizer { get; init; }
    public required TrainingOptions Training { get; init; }
    public required CheckpointOptions Checkpoints { get; init; }
    public required EvaluationOptions Evaluation { get; init; }

    /// <summary>Faults that happen by themselves, to prove what follows from them; null in every normal run.</summary>
    public FaultOptions? Faults { get; init; }

    /// <summary>Take no step until <see cref="ControlProtocol.Resume"/>.</summary>
    public bool Paused { get; init; }

    /// <summary>Least important level that the host logs, as Microsoft.Extensions.Logging counts them; the actors do not use it.</summary>
    public int LogLevel { get; init; } = 2;

    /// <summary>How long the end of the process waits for the last checkpoint after SIGTERM or Ctrl-C.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromMinutes(2);
}

public sealed record TrainingOptions
{
    /// <summary>Optimiser steps of the run.</summary>
    public required long MaxSteps { get; init; }

    /// <summary>Micro-batches a step.</summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    public double LearningRate { get; init; } = 6e-4;
    public ScheduleKind Schedule { get; init; } = ScheduleKind.Cosine;
    public long WarmupSteps { get; init; }

    /// <summary>Share of the learning rate that remains at the end of the schedule.</summary>
    public double MinimumLearningRateRatio { get; init; }

    public int Seed { get; init; } = 42;

    /// <summary><c>auto</c>, <c>cpu</c>, <c>cuda:N</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>libtorch to load: <c>auto</c>, <c>bundled</c>, or a folder of an installed PyTorch.</summary>
    public string Libtorch { get; init; } = "auto";

    /// <summary>null chooses: bf16 where the GPU has it, float32 elsewhere.</summary>
    public Precision? Precision { get; init; }

    /// <summary><c>auto</c>, <c>fused</c>, <c>reference</c>.</summary>
    public string Engine { get; init; } = "auto";

    /// <summary>Two runs on one GPU agree to the last bit; costs a little speed. The CPU always does.</summary>
    public bool Deterministic { get; init; }

    /// <summary>The fused engine's residual stream is float32, as Transformers' under autocast, instead of bf16.</summary>
    public bool WideResidual { get; init; }

    /// <summary>What of the training state lives in host memory; null chooses.</summary>
    public OffloadLevel? Offload { get; init; } = OffloadLevel.None;

    /// <summary>What the backward pass computes again; null chooses.</summary>
    public Recomputation? Recompute { get; init; } = Recomputation.None;

    /// <summary>Adapters to train instead of the model; null trains that.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>Bytes of device memory that the run may take; null: what is free.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>Steps between progress events.</summary>
    public int LoggingSteps { get; init; } = 10;

    /// <summary>Returns to the last checkpoint after a failure, in a row and without getting past the failed step, before the run fails.</summary>
    public int MaxRollbacks { get; init; } = 3;

    /// <summary>The wait before the first of those returns, where waiting may help; doubled with each further one, up to <see cref="LongestRestartDelay"/>.</summary>
    public TimeSpan RestartDelay { get; init; } = TimeSpan.FromSeconds(1);

    public static TimeSpan LongestRestartDelay => TimeSpan.FromMinutes(1);

    /// <summary>Standard deviations above the mean of the last steps at which a loss or a gradient norm is a spike; 0 looks for none.</summary>
    public double SpikeZScore { get; init; }

    /// <summary>Steps that mean and deviation are taken over; before so many there is no spike.</summary>
    public int SpikeWindow { get; init; } = 64;

    /// <summary>Steps whose text is left out after a spike or a loss that is not a number: the step itself and those before it.</summary>
    public int SpikeSkipSteps { get; init; } = 1;

    /// <summary><c>auto</c>, <c>never</c>, or a checkpoint folder.</summary>
    public string Resume { get; init; } = "auto";
}

public sealed record CheckpointOptions
{
    /// <summary>Steps between checkpoints; 0 writes only the last one.</summary>
    public long SaveSteps { get; init; } = 1000;

    /// <summary>Time between checkpoints, beside <see cref="SaveSteps"/>; null counts steps alone.</summary>
    public TimeSpan? SaveInterval { get; init; }

    /// <summary>Checkpoints kept, the newest first, and the best; 0 keeps all.</summary>
    public int SaveTotalLimit { get; init; } = 3;

    /// <summary>Each evaluation better than all before is kept in a checkpoint, and the best of them is loaded at the end of the run.</summary>
    public bool LoadBestAtEnd { get; init; }

    /// <summary>Time after which a checkpoint that could not be written is tried again, where none is due before.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Write the tokens of every step into <c>tokens.bin</c> of the run directory, to compare runs by.</summary>
    public bool RecordTokens { get; init; }
}

public sealed record EvaluationOptions
{
    /// <summary>Steps between evaluations; 0 evaluates only at the end.</summary>
    public long EvalSteps { get; init; }

    /// <summary>Held-out batches an evaluation.</summary>
    public int Batches { get; init; } = 16;

    /// <summary>
    /// How long a start whose next evaluation is near waits for held-out text before its first step, so that the evaluation is
    /// of the same step from run to run. After that nothing waits: a due evaluation follows once the text is there. Where runs are
    /// to be compared (<see cref="CheckpointOptions.RecordTokens"/>) any start with evaluations waits.
    /// </summary>
    public TimeSpan HeldOutPatience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Text to continue at the end of the run; empty generates none. In a run on instructions it is one, put in the run's template.</summary>
    public string SamplePrompt { get; init; } = "";

    public int SampleTokens { get; init; } = 60;
}

/// <summary>Faults for tests and proofs.</summary>
/// <param name="Plan">What <see cref="FaultPlan.Parse"/> reads.</param>
/// <param name="Seed">Of the faults that are drawn.</param>
public sealed record FaultOptions(string Plan, int Seed);
