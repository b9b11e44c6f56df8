namespace Streaming.Model.Tests.Fused.References;

/// <summary>A float32 as the nearest bf16, ties away from zero, and the signed units in the last place that this took off.</summary>
internal static class MasterWeight
{
    public static (ushort High, ushort Low) Split(float weight)
    {
        var bits = BitConverter.SingleToUInt32Bits(weight);
        var high = (bits >> 16) + (bits >> 15 & 1);
        return ((ushort)high, (ushort)(bits - (high << 16)));
    }

    public static float Join(ushort high, ushort low) => BitConverter.UInt32BitsToSingle((uint)((high << 16) + (short)low));

    public static (ushort[] High, ushort[] Low) Split(ReadOnlySpan<float> weights)
    {
        var (high, low) = (new ushort[weights.Length], new ushort[weights.Length]);
        for (var i = 0; i < weights.Length; i++) (high[i], low[i]) = Split(weights[i]);
        return (high, low);
    }
}
