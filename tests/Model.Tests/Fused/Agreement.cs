namespace Streaming.Model.Tests.Fused;

/// <summary>A result in exact arithmetic, and how far float32 arithmetic may leave it before the final rounding.</summary>
internal readonly record struct Expected(double Value, double Slack)
{
    /// <summary>Half a unit in the last place of a float32 value of 1: the relative error of one operation.</summary>
    public const double Unit = 1.0 / (1 << 24);

    public static implicit operator Expected(double value) => new(value, 0);
}

/// <summary>Compares what kernels wrote with references.</summary>
internal static class Agreement
{
    /// <summary>
    /// Each value is the 16-bit rounding of something within the slack. Rounding is monotonic, so it lies between the roundings
    /// of the slack's two ends: no error of its own is granted to the type.
    /// </summary>
    public static void Rounded(HalfFormat format, string what, ReadOnlySpan<Expected> expected, ReadOnlySpan<ushort> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var (value, slack) = expected[i];
            if (actual[i] == format.Nearest(value)) continue;
            var (result, low, high) = (format.ToDouble(actual[i]), format.ToDouble(format.Nearest(value - slack)), format.ToDouble(format.Nearest(value + slack)));
            var agrees = double.IsNaN(value) ? double.IsNaN(result) : result >= low && result <= high;
            if (!agrees) Assert.Fail($"{what}[{i}] is {result:g9}; {value:g9} ± {slack:g3} rounds to {low:g9} .. {high:g9}");
        }
    }

    /// <summary>Of bf16.</summary>
    public static void Rounded(string what, ReadOnlySpan<Expected> expected, ReadOnlySpan<ushort> actual) => Rounded(HalfFormat.BFloat16, what, expected, actual);

    /// <summary>Each float32 value lies within the slack and half a unit in its last place.</summary>
    public static void Near(string what, ReadOnlySpan<Expected> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++) Near($"{what}[{i}]", expected[i], actual[i]);
    }

    /// <inheritdoc cref="Near(string, ReadOnlySpan{Expected}, ReadOnlySpan{float})"/>
    public static void Near(string what, Expected expected, float actual)
    {
        var (value, slack) = expected;
        var agrees = double.IsNaN(value) ? float.IsNaN(actual) : actual >= (float)(value - slack) && actual <= (float)(value + slack);
        if (!agrees) Assert.Fail($"{what} is {actual:g9}, expected {value:g9} ± {slack:g3}");
    }
}
