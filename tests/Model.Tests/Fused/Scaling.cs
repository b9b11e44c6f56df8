using System.Runtime.InteropServices;

namespace Streaming.Model.Tests.Fused;

/// <summary>The kernels' <c>Scaling</c>: a tensor's scale, its inverse, and the largest magnitude seen.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal record struct Scaling
{
    [FieldOffset(0)] public float Scale;
    [FieldOffset(4)] public float Largest;
    [FieldOffset(16)] public float Inverse;

    public static Scaling Of(float scale, float largest = 0) => new() { Scale = scale, Largest = largest, Inverse = 1 / scale };

    /// <summary>The scale is as it was, and the largest of <paramref name="expected"/> was recorded over what was there before.</summary>
    public readonly void Recorded(Scaling before, ReadOnlySpan<Expected> expected)
    {
        double low = before.Largest, high = before.Largest;
        foreach (var (value, slack) in expected) (low, high) = (Math.Max(low, Math.Abs(value) - slack), Math.Max(high, Math.Abs(value) + slack));
        Agreement.Near("largest magnitude", new Expected((low + high) / 2, (high - low) / 2), Largest);
        Assert.Equal((before.Scale, before.Inverse), (Scale, Inverse));
    }
}
