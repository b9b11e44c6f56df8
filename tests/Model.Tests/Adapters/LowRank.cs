using Streaming.Model.Adapters;
using Streaming.Model.Export;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Tests.Adapters;

/// <summary>A base model in a folder, adapters for it, and the formula by which they are one.</summary>
internal static class LowRank
{
    public static LoraOptions Lora { get; } = new() { Rank = 3, Alpha = 12, TargetModules = ["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"] };

    public static AdapterSet Set(LoraOptions? lora = null, string @base = "/base", string fingerprint = "abc") => new(lora ?? Lora, @base, fingerprint, Seed: 5);

    /// <summary>Adapters whose B is not zero.</summary>
    public static Dictionary<string, float[]> Random(MistralConfig config, LoraOptions lora, int seed = 7) =>
        AdaptedMatrix.ParametersOf(config, lora).ToDictionary(parameter => parameter.Name, parameter =>
        {
            var values = new float[parameter.Count];
            new GaussianGenerator((ulong)(seed + parameter.Name.Length * 31 + parameter.Name.Sum(letter => letter))).Fill(values, 0.05);
            return values;
        });

    /// <summary>W + (alpha / rank) B A, element by element in double.</summary>
    public static float[] Merge(float[] weight, AdaptedMatrix matrix, LoraOptions lora, Dictionary<string, float[]> adapters)
    {
        var (a, b, result) = (adapters[matrix.A.Name], adapters[matrix.B.Name], new float[weight.Length]);
        var inputs = (int)matrix.Matrix.Shape[1];
        for (var i = 0; i < weight.Length; i++)
        {
            double sum = 0;
            for (var k = 0; k < lora.Rank; k++) sum += (double)b[i / inputs * lora.Rank + k] * a[k * inputs + i % inputs];
            result[i] = (float)(weight[i] + lora.Alpha / lora.Rank * sum);
        }
        return result;
    }

    /// <summary>Writes a model with weights of a seed; returns its folder's fingerprint.</summary>
    public static string WriteBase(string folder, MistralConfig config, int seed)
    {
        Directory.CreateDirectory(folder);
        HuggingFaceExport.Write(config, new RandomWeights(config, seed), folder, new ExportOptions { Type = TensorType.F32 });
        using var weights = SafetensorsWeights.Open(folder);
        return BaseFingerprint.Of(weights);
    }

    public sealed class Arrays(IReadOnlyDictionary<string, float[]> values, IWeightSource? others = null) : IWeightSource
    {
        public void Read(ModelParameter parameter, Span<float> destination)
        {
            if (values.TryGetValue(parameter.Name, out var found)) found.CopyTo(destination);
            else others!.Read(parameter, destination);
        }
    }
}
