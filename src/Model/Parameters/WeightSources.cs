using System.Text;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Parameters;

/// <summary>Where a new engine's weights come from.</summary>
public interface IWeightSource
{
    /// <summary>Fills <paramref name="destination"/> with a parameter's float32 weights.</summary>
    void Read(ModelParameter parameter, Span<float> destination);
}

/// <summary>
/// Weights as Transformers initialises Mistral: normal with deviation <c>initializer_range</c> for embedding and matrices,
/// zero for the padding token's embedding, one for norms. Each parameter has its own generator, seeded by the run's seed
/// and the parameter's name, so that the numbers depend on neither the engine, the device nor the order.
/// </summary>
public sealed class RandomWeights(MistralConfig config, int seed) : IWeightSource
{
    private const int BlockLength = 1 << 18;

    public void Read(ModelParameter parameter, Span<float> destination)
    {
        if (parameter.Role == ParameterRole.Norm)
        {
            destination.Fill(1);
            return;
        }
        FillInBlocks(destination, SeedOf(parameter.Name, seed));
        if (parameter.Role == ParameterRole.Embedding && config.PadTokenId is { } padding)
            destination.Slice(padding * config.HiddenSize, config.HiddenSize).Clear();
    }

    // Blocks have generators of their own, so that all cores fill a large matrix and their number changes nothing.
    private unsafe void FillInBlocks(Span<float> destination, ulong seed)
    {
        var length = destination.Length;
        fixed (float* values = destination)
        {
            var first = (nint)values;
            Parallel.For(0, (length + BlockLength - 1) / BlockLength, block =>
            {
                var start = block * BlockLength;
                var part = new Span<float>((float*)first + start, Math.Min(BlockLength, length - start));
                new GaussianGenerator(seed + ((ulong)block << 32)).Fill(part, config.InitializerRange);
            });
        }
    }

    /// <summary>FNV-1a of the name, over the run's seed.</summary>
    internal static ulong SeedOf(string name, int seed)
    {
        var hash = 14695981039346656037UL ^ (uint)seed;
        foreach (var value in Encoding.UTF8.GetBytes(name))
            hash = (hash ^ value) * 1099511628211UL;
        return hash;
    }
}

/// <summary>Weights of a Hugging Face checkpoint, checked as a whole before the first is read.</summary>
public sealed class CheckpointWeights : IWeightSource
{
    private readonly SafetensorsWeights _weights;
    private readonly Dictionary<string, TensorPart> _parts = new(StringComparer.Ordinal);

    /// <exception cref="SafetensorsException">A parameter is missing, has another shape, or the checkpoint has others.</exception>
    public CheckpointWeights(MistralConfig config, SafetensorsWeights weights)
    {
        _weights = weights;
        var parameters = ModelParameter.Of(config);
        foreach (var parameter in parameters)
        {
            if (weights.Find(parameter.Name) is null && FusedExperts.Find(parameter, config) is { } part && weights.Find(part.Tensor) is { } whole)
            {
                if (!whole.Shape.SequenceEqual(part.Shape))
                    throw new SafetensorsException($"{weights.Path}: '{part.Tensor}' has the shape [{string.Join(", ", whole.Shape)}], config.json asks for [{string.Join(", ", part.Shape)}]");
                _parts[parameter.Name] = part;
                continue;
            }
            var tensor = weights.Find(parameter.Name)
                ?? throw new SafetensorsException($"{weights.Path} lacks '{parameter.Name}', which a model of this config.json has");
            if (!tensor.Shape.SequenceEqual(parameter.Shape))
                throw new SafetensorsException($"{weights.Path}: '{parameter.Name}' has the shape [{string.Join(", ", tensor.Shape)}], config.json asks for [{string.Join(", ", parameter.Shape)}]");
        }
        var known = parameters.Select(parameter => parameter.Name).Concat(_parts.Values.Select(part => part.Tensor)).ToHashSet(StringComparer.Ordinal);
        if (weights.Names.FirstOrDefault(name => !known.Contains(name) && !MayBeIgnored(name)) is { } unknown)
            throw new SafetensorsException($"{weights.Path} holds '{unknown}', which a model of this config.json does not have");
    }

    /// <summary>A tied model's output matrix is its embedding; old checkpoints also store the constants of the rotary embedding.</summary>
    private static bool MayBeIgnored(string name) =>
        name == ModelParameter.OutputMatrix || name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);

    public void Read(ModelParameter parameter, Span<float> destination)
    {
        if (_parts.TryGetValue(parameter.Name, out var part))
            _weights.Read(part.Tensor, part.First, destination);
        else
            _weights.Read(parameter.Name, destination);
    }
}
