using Streaming.Model;
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

    /// <summary>Take no step until <see cref="ControlProtocol.Resume"/>.</summary>
    public bool Paused { get; init; }

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

    /// <summary>Bytes of device memory that the run may take; null: what is free.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>Steps between progress events.</summary>
    public int LoggingSteps { get; init; } = 10;

    /// <summary>Returns to the last checkpoint after a failure, in a row and without getting past the failed step, before the run fails.</summary>
    public int MaxRollbacks { get; init; } = 3;

    /// <summary><c>auto</c>, <c>never</c>, or a checkpoint folder.</summary>
    public string Resume { get; init; } = "auto";
}

public sealed record CheckpointOptions
{
    /// <summary>Steps between checkpoints; 0 writes only the last one.</summary>
    public long SaveSteps { get; init; } = 1000;

    /// <summary>Checkpoints kept, the newest first; 0 keeps all.</summary>
    public int SaveTotalLimit { get; init; } = 3;
}

public sealed record EvaluationOptions
{
    /// <summary>Steps between evaluations; 0 evaluates only at the end.</summary>
    public long EvalSteps { get; init; }

    /// <summary>Held-out batches an evaluation.</summary>
    public int Batches { get; init; } = 16;

    /// <summary>Text to continue at the end of the run; empty generates none.</summary>
    public string SamplePrompt { get; init; } = "";

    public int SampleTokens { get; init; } = 60;
}
