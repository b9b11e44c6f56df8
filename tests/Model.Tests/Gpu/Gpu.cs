using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Gpu;

/// <summary>What the specs of the fused engine share: they need a GPU, one at a time, and are skipped with the reason elsewhere.</summary>
internal static class Gpu
{
    /// <summary>Skips the calling test where there is no GPU that computes in this precision.</summary>
    public static void Require(Precision precision = Precision.BFloat16)
    {
        var status = Devices.Cuda();
        Assert.SkipUnless(status.Available, $"needs a GPU: {status.Reason}");
        var device = CudaDriver.Describe(0);
        Assert.SkipUnless(device is { HasBFloat16: true }, $"needs a GPU of compute capability 8.0, this is {device}");
        if (precision == Precision.Float8)
            Assert.SkipUnless((device!.CapabilityMajor, device.CapabilityMinor).CompareTo((8, 9)) >= 0, $"fp8 needs compute capability 8.9, this is {device}");
    }

    /// <summary>An engine of its own memory, kernels and graphs.</summary>
    public static FusedEngine Fused(
        MistralConfig config, OptimizerOptions optimizer, IWeightSource weights, int rows, int tokens, Precision precision = Precision.BFloat16,
        bool wide = false, bool deterministic = false, OffloadLevel offload = OffloadLevel.None, Recomputation recompute = Recomputation.None) =>
        FusedEngine.Create(config, optimizer, new FusedEngineOptions(rows, tokens, Device: 0, deterministic,
            Path.Combine(Path.GetTempPath(), "streaming-kernels"), precision, wide, offload, recompute), weights);

    /// <summary>The reference engine on the GPU.</summary>
    public static ReferenceEngine Reference(
        MistralConfig config, OptimizerOptions optimizer, IWeightSource weights, Precision precision = Precision.Float32) =>
        new(config, optimizer, Devices.Parse("cuda:0"), precision, weights);

    /// <summary>Shows a measured figure beside the test's result, so that bounds can be judged.</summary>
    public static void Tell(FormattableString line) => TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant(line));
}

/// <summary>One engine at a time: they share the GPU's memory, and nothing else may use libtorch while one records its graphs.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class GpuCollection
{
    public const string Name = "gpu";
}

/// <summary>Reads an engine's state and compares it.</summary>
internal static class EngineState
{
    public static float[] Read(IParameterState parameter, StateKind kind)
    {
        var values = new float[parameter.Shape.Aggregate(1L, (product, size) => product * size)];
        parameter.Read(kind, values);
        return values;
    }

    public static Dictionary<string, float[]> Read(ITrainingEngine engine, StateKind kind) =>
        engine.Parameters.ToDictionary(parameter => parameter.Name, parameter => Read(parameter, kind));

    /// <summary>Length of the difference over the length of what is expected, both as vectors.</summary>
    public static double Distance(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = 0, length = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            if (!float.IsFinite(actual[i])) Assert.Fail($"element {i} is {actual[i]}");
            var (a, e) = ((double)actual[i], (double)expected[i]);
            difference += (a - e) * (a - e);
            length += e * e;
        }
        return length == 0 ? Math.Sqrt(difference) : Math.Sqrt(difference / length);
    }

    /// <summary>The largest and the median distance over all parameters.</summary>
    public static (double Worst, double Median, string Name) Distances(Dictionary<string, float[]> actual, Dictionary<string, float[]> expected)
    {
        var distances = expected.Select(entry => (Distance: Distance(actual[entry.Key], entry.Value), entry.Key)).OrderBy(entry => entry.Distance).ToArray();
        return (distances[^1].Distance, distances[distances.Length / 2].Distance, distances[^1].Key);
    }
}
