namespace Streaming.Model.Tests.Fused;

/// <summary>bf16: the upper half of a float32, 8 significant bits, so rounding moves a value by at most 2^-8 of it.</summary>
internal static class Bf16
{
    public const ushort NaN = 0x7fc0;

    public static double ToDouble(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    public static double[] ToDoubles(ReadOnlySpan<ushort> bits)
    {
        var values = new double[bits.Length];
        for (var i = 0; i < values.Length; i++) values[i] = ToDouble(bits[i]);
        return values;
    }

    /// <summary>The nearest bf16 value, ties to even: overflow is infinite, NaN stays NaN.</summary>
    public static ushort Nearest(double value)
    {
        if (double.IsNaN(value)) return NaN;
        var single = (float)value;
        var bits = BitConverter.SingleToUInt32Bits(single);
        if (single != value && !double.IsInfinity(value))
        {
            // Rounding twice would err: so first towards zero, with the last bit remembering that something was cut off.
            if (Math.Abs((double)single) > Math.Abs(value)) bits--;
            bits |= 1;
        }
        return (ushort)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }

    public static ushort[] Nearest(ReadOnlySpan<double> values)
    {
        var bits = new ushort[values.Length];
        for (var i = 0; i < bits.Length; i++) bits[i] = Nearest(values[i]);
        return bits;
    }
}
