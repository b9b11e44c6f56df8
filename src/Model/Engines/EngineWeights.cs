using Streaming.Model.Parameters;

namespace Streaming.Model.Engines;

/// <summary>The present weights of an engine. Read them on the engine's thread.</summary>
public sealed class EngineWeights(ITrainingEngine engine) : IWeightSource
{
    private readonly Dictionary<string, IParameterState> _byName = engine.Parameters.ToDictionary(parameter => parameter.Name);

    public void Read(ModelParameter parameter, Span<float> destination) => _byName[parameter.Name].Read(StateKind.Weight, destination);
}
