using System.Diagnostics;
using Streaming.Model.Engines;

namespace Streaming.Model.Checkpoints;

/// <summary>A snapshot in float32 arrays, which the engine's thread fills: twelve bytes a parameter.</summary>
internal sealed class HostSnapshot : EngineSnapshot
{
    private readonly HostParameter[] _parameters;

    private HostSnapshot(ITrainingEngine engine)
        : base(engine.Model, engine.Adapters) => _parameters = [.. engine.Parameters.Select(parameter => new HostParameter(parameter))];

    public override IReadOnlyList<ParameterSnapshot> Parameters => _parameters;

    /// <inheritdoc cref="EngineSnapshot.Take"/>
    public static new EngineSnapshot Take(ITrainingEngine engine, EngineSnapshot? reuse)
    {
        var began = Stopwatch.GetTimestamp();
        var snapshot = reuse as HostSnapshot ?? new HostSnapshot(engine);
        if (snapshot._parameters.Length != engine.Parameters.Count)
            throw new ArgumentException("the snapshot to reuse is of another model", nameof(reuse));
        snapshot.ClearStall();
        for (var i = 0; i < snapshot._parameters.Length; i++)
            snapshot._parameters[i].Fill(engine.Parameters[i]);
        snapshot.OptimizerStep = engine.Step;
        snapshot.LossScale = engine.LossScale;
        snapshot.Magnitudes = engine.Magnitudes;
        snapshot.AddStall(began);
        return snapshot;
    }

    private sealed class HostParameter : ParameterSnapshot
    {
        private readonly float[] _weight, _first, _second;

        public HostParameter(IParameterState parameter)
            : base(parameter.Name, parameter.Shape) => (_weight, _first, _second) = (new float[Count], new float[Count], new float[Count]);

        public void Fill(IParameterState parameter)
        {
            parameter.Read(StateKind.Weight, _weight);
            parameter.Read(StateKind.FirstMoment, _first);
            parameter.Read(StateKind.SecondMoment, _second);
        }

        public override void Read(StateKind kind, Span<float> destination) => (kind switch
        {
            StateKind.Weight => _weight,
            StateKind.FirstMoment => _first,
            StateKind.SecondMoment => _second,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "a snapshot has weights and moments"),
        }).CopyTo(destination);
    }
}
