using Streaming.Model.Engines;
using Streaming.Model.Parameters;

namespace Streaming.Model.Checkpoints;

/// <summary>
/// An engine's state, copied to the host. It is taken on the training thread; whoever writes it to disk then has all the
/// time it needs. Twelve bytes a parameter.
/// </summary>
public sealed class EngineSnapshot : IWeightSource
{
    private EngineSnapshot(MistralConfig model, IReadOnlyList<ParameterSnapshot> parameters) => (Model, Parameters) = (model, parameters);

    public MistralConfig Model { get; }

    /// <summary>Optimiser steps that the engine had taken.</summary>
    public long OptimizerStep { get; private set; }

    /// <summary>The engine's loss scale; null where it has none.</summary>
    public LossScaling? LossScale { get; private set; }

    public IReadOnlyList<ParameterSnapshot> Parameters { get; }

    /// <summary>Copies the engine's weights and moments. Call it on the engine's thread, between steps.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="reuse">An older snapshot of the same engine that nobody reads any more: its arrays are overwritten and it is returned.</param>
    public static EngineSnapshot Take(ITrainingEngine engine, EngineSnapshot? reuse = null)
    {
        var snapshot = reuse ?? new EngineSnapshot(engine.Model, [.. engine.Parameters.Select(ParameterSnapshot.Empty)]);
        if (snapshot.Parameters.Count != engine.Parameters.Count)
            throw new ArgumentException("the snapshot to reuse is of another model", nameof(reuse));
        for (var i = 0; i < snapshot.Parameters.Count; i++)
        {
            engine.Parameters[i].Read(StateKind.Weight, snapshot.Parameters[i].Weight);
            engine.Parameters[i].Read(StateKind.FirstMoment, snapshot.Parameters[i].FirstMoment);
            engine.Parameters[i].Read(StateKind.SecondMoment, snapshot.Parameters[i].SecondMoment);
        }
        snapshot.OptimizerStep = engine.Step;
        snapshot.LossScale = engine.LossScale;
        return snapshot;
    }

    public void Read(ModelParameter parameter, Span<float> destination) =>
        Parameters.First(candidate => candidate.Name == parameter.Name).Weight.CopyTo(destination);
}

/// <summary>One parameter's float32 state.</summary>
public sealed record ParameterSnapshot(string Name, IReadOnlyList<long> Shape, float[] Weight, float[] FirstMoment, float[] SecondMoment)
{
    internal static ParameterSnapshot Empty(IParameterState parameter)
    {
        var count = parameter.Shape.Aggregate(1L, (product, size) => product * size);
        return new(parameter.Name, parameter.Shape, new float[count], new float[count], new float[count]);
    }
}
