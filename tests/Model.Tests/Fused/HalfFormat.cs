namespace Streaming.Model.Tests.Fused;

/// <summary>The 16-bit type that a device's kernels are compiled for.</summary>
internal sealed class HalfFormat
{
    public static readonly HalfFormat BFloat16 = new() { IsFloat16 = false, Epsilon = 1.0 / 256 };

    /// <summary>IEEE half precision: 11 significant bits, numbers from 6e-8 to 65504.</summary>
    public static readonly HalfFormat Float16 = new() { IsFloat16 = true, Epsilon = 1.0 / 2048 };

    private HalfFormat() { }

    public bool IsFloat16 { get; private init; }

    /// <summary>By how much of itself rounding moves a value at most.</summary>
    public double Epsilon { get; private init; }

    public ushort NaN => Nearest(double.NaN);

    public double ToDouble(ushort bits) => IsFloat16 ? (double)BitConverter.UInt16BitsToHalf(bits) : Bf16.ToDouble(bits);

    public double[] ToDoubles(ReadOnlySpan<ushort> bits)
    {
        var values = new double[bits.Length];
        for (var i = 0; i < values.Length; i++) values[i] = ToDouble(bits[i]);
        return values;
    }

    /// <summary>The nearest value, ties to even: overflow is infinite, NaN stays NaN.</summary>
    public ushort Nearest(double value) => IsFloat16 ? BitConverter.HalfToUInt16Bits((Half)value) : Bf16.Nearest(value);

    /// <summary>Random values, of a kind that the type can hold.</summary>
    public ushort[] Draw(Random random, int count, ValueKind kind)
    {
        var values = new ushort[count];
        for (var i = 0; i < count; i++)
        {
            var value = random.Draw(kind);
            if (IsFloat16)
                value = kind switch
                {
                    ValueKind.Large => value * 1e-5, // around 1000
                    ValueKind.Tiny => value * 1e19, // around 1e-6, where half precision has 4 significant bits left
                    ValueKind.Mixed => Math.CopySign(Math.Sqrt(Math.Abs(value)), value), // 2^-10 to 2^10
                    _ => value,
                };
            values[i] = Nearest(value);
        }
        return values;
    }
}
