using System.Diagnostics;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Measurement;

/// <summary>How fast an engine trains: whole optimiser steps on random tokens.</summary>
public static class EngineBenchmark
{
    /// <summary>Dense bf16 peak of an H100 SXM, against which utilisation is stated.</summary>
    public const double PeakFlops = 989e12;

    private const int WarmUpSteps = 2;

    /// <param name="engine">What trains.</param>
    /// <param name="rows">Sequences a micro-batch.</param>
    /// <param name="tokens">Tokens a sequence.</param>
    /// <param name="microBatches">Micro-batches a step.</param>
    /// <param name="steps">Steps that are timed; the median counts.</param>
    /// <param name="profiles">Afterwards the fused engine's operations are timed.</param>
    public static EngineMeasurement Run(ITrainingEngine engine, int rows, int tokens, int microBatches, int steps, bool profiles = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(steps);
        var random = new Random(0);
        var batches = new int[microBatches][];
        for (var i = 0; i < microBatches; i++)
        {
            batches[i] = new int[rows * tokens];
            for (var k = 0; k < batches[i].Length; k++) batches[i][k] = random.Next(engine.Model.VocabularySize);
        }
        var times = new double[steps];
        var losses = new List<float>();
        StepResult result = default;
        for (var step = -Math.Min(WarmUpSteps, steps); step < steps; step++)
        {
            var began = Stopwatch.GetTimestamp();
            using (StartTrace.Phase("first step"))
            {
                foreach (var batch in batches) engine.Accumulate(batch, rows, microBatches);
                result = engine.Update(6e-4);
            }
            StartTrace.Complete();
            losses.Add(result.Loss);
            if (step >= 0) times[step] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        Array.Sort(times);
        var speed = (double)rows * tokens * microBatches / times[steps / 2];
        var fused = engine as FusedEngine;
        var compute = ComputeSeconds(engine, batches, rows);
        var deviceBytes = fused?.DeviceBytes; // before the profile, which runs beside the graphs
        return new EngineMeasurement(
            engine.Description, rows, microBatches, engine.ParameterCount, speed, speed * FlopsPerToken(engine, tokens) / PeakFlops,
            deviceBytes, fused?.PredictedDeviceBytes, fused?.HostBytes, HostLimits.PeakResident(), times[steps / 2], compute, fused?.UpdateTraffic ?? default,
            StartTrace.Result, losses, fused is null || !profiles ? [] : Laps(fused, batches[0], rows));
    }

    // The micro-batches of a step alone, without an update before or among them.
    private static double ComputeSeconds(ITrainingEngine engine, int[][] batches, int rows)
    {
        engine.Accumulate(batches[0], rows, batches.Length);
        engine.Evaluate(batches[0], rows); // waits
        var began = Stopwatch.GetTimestamp();
        engine.Evaluate(batches[0], rows);
        var evaluation = Stopwatch.GetElapsedTime(began).TotalSeconds;
        began = Stopwatch.GetTimestamp();
        foreach (var batch in batches) engine.Accumulate(batch, rows, batches.Length);
        engine.Evaluate(batches[0], rows);
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds - evaluation;
        engine.Update(0);
        return seconds;
    }

    /// <summary>Forward and backward pass: 6 for each parameter outside the embedding that works on a token (4 where it is not trained and has no gradient), and causal attention (Chowdhery et al. 2022, appendix B, halved for the mask).</summary>
    public static double FlopsPerToken(ITrainingEngine engine, int tokens) => FlopsPerToken(engine.Model, engine.ParameterCount, tokens, engine.Adapters is not null);

    /// <inheritdoc cref="FlopsPerToken(ITrainingEngine, int)"/>
    public static double FlopsPerToken(MistralConfig model, long parameterCount, int tokens, bool trainsAdapters = false)
    {
        var parameters = parameterCount - (double)model.VocabularySize * model.HiddenSize;
        if (model.Experts is { } experts)
            parameters -= 3.0 * (experts.Count - experts.PerToken) * model.LayerCount * model.HiddenSize * model.IntermediateSize;
        return (trainsAdapters ? 4 : 6) * parameters + 6.0 * model.LayerCount * tokens * model.HiddenSize;
    }

    private static IReadOnlyList<OperationTime> Laps(FusedEngine engine, int[] tokens, int rows)
    {
        engine.Profile(tokens, rows);
        return [.. engine.Profile(tokens, rows).Select(row => new OperationTime(row.Name, row.Milliseconds, row.Calls, engine.CostOf(row.Name, row.Calls)))];
    }
}

/// <param name="Engine">What trained.</param>
/// <param name="Rows">Sequences a micro-batch.</param>
/// <param name="MicroBatches">Micro-batches a step.</param>
/// <param name="Parameters">Parameters of the model.</param>
/// <param name="TokensPerSecond">By the median step.</param>
/// <param name="Utilization">Model FLOPs against <see cref="EngineBenchmark.PeakFlops"/>.</param>
/// <param name="DeviceBytes">Device memory in use, libraries included; null where unknown.</param>
/// <param name="PredictedBytes">What the planner expects of it.</param>
/// <param name="LockedBytes">Page-locked host memory of the training state.</param>
/// <param name="ResidentBytes">Host memory that the process had at most.</param>
/// <param name="StepSeconds">Of the median step.</param>
/// <param name="ComputeSeconds">Of a step's micro-batches alone.</param>
/// <param name="UpdateTraffic">Bytes that an update brings in from host memory and sends out.</param>
/// <param name="Start">Seconds from the start of the process to the end of the first step, and what they went into; null where that was not traced.</param>
/// <param name="Losses">Of all steps, those before the timed ones too; the same tokens each time, so that a large model soon knows them by heart.</param>
/// <param name="Operations">One micro-step and one update, eagerly, by CUDA events; empty for the reference engine.</param>
public sealed record EngineMeasurement(
    string Engine, int Rows, int MicroBatches, long Parameters, double TokensPerSecond, double Utilization, long? DeviceBytes, long? PredictedBytes, long? LockedBytes,
    long ResidentBytes, double StepSeconds, double ComputeSeconds, (long In, long Out) UpdateTraffic,
    (double FirstStep, IReadOnlyList<StartPhase> Phases)? Start,
    IReadOnlyList<float> Losses, IReadOnlyList<OperationTime> Operations);

/// <param name="Name">The operation.</param>
/// <param name="Milliseconds">Of all calls together.</param>
/// <param name="Calls">How often it ran.</param>
/// <param name="Cost">The least work of one call; null where it is not stated.</param>
public sealed record OperationTime(string Name, double Milliseconds, int Calls, OperationCost? Cost)
{
    /// <summary>10^12 operations a second, where arithmetic is the limit.</summary>
    public double? TeraflopsPerSecond => Cost is { Flops: > 0 } cost ? cost.Flops * Calls / Milliseconds / 1e9 : null;

    /// <summary>10^12 bytes a second, where memory is the limit.</summary>
    public double? TerabytesPerSecond => Cost is { Bytes: > 0 } cost ? cost.Bytes * Calls / Milliseconds / 1e9 : null;
}
