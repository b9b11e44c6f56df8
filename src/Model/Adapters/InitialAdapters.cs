using Streaming.Model.Parameters;

namespace Streaming.Model.Adapters;

/// <summary>
/// Adapters as PEFT begins with them: A drawn as PyTorch draws a linear layer (<c>kaiming_uniform_(a = √5)</c>: evenly between
/// ±1/√inputs), B zero, so that the model is the base model at first. The numbers depend on the seed and the parameter's name alone.
/// </summary>
public sealed class InitialAdapters(int seed) : IWeightSource
{
    public void Read(ModelParameter parameter, Span<float> destination)
    {
        if (parameter.Name.EndsWith("lora_B.weight", StringComparison.Ordinal))
        {
            destination.Clear();
            return;
        }
        var bound = 1 / Math.Sqrt(parameter.Shape[^1]);
        var random = new GaussianGenerator(RandomWeights.SeedOf(parameter.Name, seed));
        for (var i = 0; i < destination.Length; i++)
            destination[i] = (float)((2 * random.NextUniform() - 1) * bound);
    }
}
