using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

/// <summary>Arrays of master weights as the kernels hold them.</summary>
internal static class Halves
{
    public static (ushort[] High, short[] Low) Of(ReadOnlySpan<float> weights)
    {
        var (high, low) = (new ushort[weights.Length], new short[weights.Length]);
        for (var i = 0; i < weights.Length; i++) (high[i], low[i]) = MasterWeight.Split(weights[i]);
        return (high, low);
    }

    public static float[] Join(ushort[] high, short[] low) => [.. high.Zip(low, MasterWeight.Join)];
}
