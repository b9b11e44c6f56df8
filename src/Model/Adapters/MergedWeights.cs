using System.Numerics;
using System.Runtime.InteropServices;
using Streaming.Model.Parameters;

namespace Streaming.Model.Adapters;

/// <summary>A model's weights with adapters merged into them: W + (alpha / rank) B A, in float32.</summary>
/// <param name="model">The model's shape.</param>
/// <param name="weights">Its own weights.</param>
/// <param name="lora">The adapters.</param>
/// <param name="adapters">Their weights.</param>
public sealed class MergedWeights(MistralConfig model, IWeightSource weights, LoraOptions lora, IWeightSource adapters) : IWeightSource
{
    private readonly Dictionary<string, AdaptedMatrix> _adapted = AdaptedMatrix.Of(model, lora).ToDictionary(matrix => matrix.Matrix.Name, StringComparer.Ordinal);

    /// <summary>Whether a parameter differs from the base model's.</summary>
    public bool Changes(ModelParameter parameter) => _adapted.ContainsKey(parameter.Name);

    public void Read(ModelParameter parameter, Span<float> destination)
    {
        weights.Read(parameter, destination);
        if (!_adapted.TryGetValue(parameter.Name, out var matrix)) return;
        var (a, b) = (new float[matrix.A.Count], new float[matrix.B.Count]);
        adapters.Read(matrix.A, a);
        adapters.Read(matrix.B, b);
        Add(destination, a, b, (int)parameter.Shape[0], (int)parameter.Shape[1]);
    }

    private unsafe void Add(Span<float> destination, float[] a, float[] b, int outputs, int inputs)
    {
        var (rank, scale) = (lora.Rank, (float)lora.Scale);
        fixed (float* first = destination)
        {
            var start = (nint)first;
            Parallel.For(0, outputs, output =>
            {
                var row = new Span<float>((float*)start + (long)output * inputs, inputs);
                for (var k = 0; k < rank; k++)
                    AddScaled(row, a.AsSpan(k * inputs, inputs), scale * b[output * rank + k]);
            });
        }
    }

    private static void AddScaled(Span<float> target, ReadOnlySpan<float> values, float factor)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(target);
        var sources = MemoryMarshal.Cast<float, Vector<float>>(values);
        for (var i = 0; i < vectors.Length; i++) vectors[i] += sources[i] * factor;
        for (var i = vectors.Length * Vector<float>.Count; i < target.Length; i++) target[i] += values[i] * factor;
    }
}
