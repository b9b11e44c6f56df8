namespace Streaming.Model.Tests;

/// <summary>Compares arrays of numbers and says how far apart they are.</summary>
internal static class Closeness
{
    /// <summary>Largest absolute difference over the largest absolute expected value: rounding errors scale with the latter.</summary>
    public static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = 0, largest = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(float.IsFinite(actual[i]), $"element {i} is {actual[i]}");
            difference = Math.Max(difference, Math.Abs((double)actual[i] - expected[i]));
            largest = Math.Max(largest, Math.Abs(expected[i]));
        }
        return largest == 0 ? difference : difference / largest;
    }
}
