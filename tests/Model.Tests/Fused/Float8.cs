namespace Streaming.Model.Tests.Fused;

/// <summary>An 8-bit float format without infinities in use: what is too large becomes the largest value.</summary>
internal sealed class Float8
{
    /// <summary>Activations and weights: 3 bits of mantissa, up to 448.</summary>
    public static readonly Float8 E4M3 = new(mantissa: 3, bias: 7, largestCode: 0x7e);

    /// <summary>Gradients: 2 bits of mantissa, up to 57344.</summary>
    public static readonly Float8 E5M2 = new(mantissa: 2, bias: 15, largestCode: 0x7b);

    private readonly double[] _magnitudes; // by code, ascending

    private Float8(int mantissa, int bias, int largestCode)
    {
        _magnitudes = new double[largestCode + 1];
        for (var code = 0; code <= largestCode; code++)
        {
            var (exponent, fraction) = (code >> mantissa, code & (1 << mantissa) - 1);
            var significand = (exponent == 0 ? 0 : 1) + (double)fraction / (1 << mantissa);
            _magnitudes[code] = Math.ScaleB(significand, Math.Max(exponent, 1) - bias);
        }
    }

    public double Largest => _magnitudes[^1];

    /// <summary>The value of a code; NaN beyond the largest.</summary>
    public double ToDouble(byte code) => (code & 0x7f) < _magnitudes.Length ? ((code & 0x80) == 0 ? 1 : -1) * _magnitudes[code & 0x7f] : double.NaN;

    /// <summary>The nearest value, ties to the even code.</summary>
    public double Nearest(double value)
    {
        if (double.IsNaN(value)) return value;
        var place = Array.BinarySearch(_magnitudes, Math.Abs(value));
        if (place >= 0) return value;
        var above = ~place;
        if (above == _magnitudes.Length) return Math.CopySign(Largest, value);
        var (down, up) = (Math.Abs(value) - _magnitudes[above - 1], _magnitudes[above] - Math.Abs(value));
        var code = down < up || (down == up && above % 2 == 1) ? above - 1 : above;
        return Math.CopySign(_magnitudes[code], value);
    }

    /// <summary>As <see cref="Agreement.Rounded(string, ReadOnlySpan{Expected}, ReadOnlySpan{ushort})"/>, for what is scaled in float32 and then rounded to this format.</summary>
    public void Agrees(string what, ReadOnlySpan<Expected> expected, float scale, ReadOnlySpan<byte> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var value = expected[i].Value * scale;
            var slack = expected[i].Slack * scale + Expected.Unit * Math.Abs(value);
            var (result, low, high) = (ToDouble(actual[i]), Nearest(value - slack), Nearest(value + slack));
            var agrees = double.IsNaN(value) ? double.IsNaN(result) : result >= low && result <= high;
            if (!agrees) Assert.Fail($"{what}[{i}] is {result:g9}; {value:g9} ± {slack:g3} rounds to {low:g9} .. {high:g9}");
        }
    }
}
