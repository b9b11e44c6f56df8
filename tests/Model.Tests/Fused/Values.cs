namespace Streaming.Model.Tests.Fused;

/// <summary>How random values are distributed.</summary>
public enum ValueKind
{
    /// <summary>Normal with deviation 1.</summary>
    Normal,

    /// <summary>Normal with deviation 1e8: its square is far from float32's largest value, but its fourth power is not.</summary>
    Large,

    /// <summary>Normal with deviation 1e-25: its square is no longer a float32 value.</summary>
    Tiny,

    /// <summary>Zeros of both signs.</summary>
    Zero,

    /// <summary>Both signs, every magnitude from 2^-20 to 2^20 equally likely.</summary>
    Mixed,
}

internal static class Values
{
    public static readonly ValueKind[] Kinds = Enum.GetValues<ValueKind>();

    public static double Draw(this Random random, ValueKind kind)
    {
        var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return kind switch
        {
            ValueKind.Normal => normal,
            ValueKind.Large => normal * 1e8,
            ValueKind.Tiny => normal * 1e-25,
            ValueKind.Zero => normal < 0 ? -0.0 : 0.0,
            ValueKind.Mixed => Math.CopySign(Math.Pow(2, 40 * random.NextDouble() - 20), normal),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    public static ushort[] DrawBf16(this Random random, int count, ValueKind kind)
    {
        var values = new ushort[count];
        for (var i = 0; i < count; i++) values[i] = Bf16.Nearest(random.Draw(kind));
        return values;
    }

    public static float[] DrawFloats(this Random random, int count, ValueKind kind)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++) values[i] = (float)random.Draw(kind);
        return values;
    }
}
