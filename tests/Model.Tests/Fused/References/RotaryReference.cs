namespace Streaming.Model.Tests.Fused.References;

/// <summary>Rotary embedding as Hugging Face writes it: x cos + rotate_half(x) sin.</summary>
internal static class RotaryReference
{
    /// <summary>cos and sin (T, K/2) of position t times theta^(-2i/K), rounded to float32 as a device holds them.</summary>
    public static (float[] Cosine, float[] Sine) Angles(int tokens, int headSize, double theta)
    {
        var half = headSize / 2;
        var (cosine, sine) = (new float[tokens * half], new float[tokens * half]);
        for (var token = 0; token < tokens; token++)
            for (var i = 0; i < half; i++)
            {
                var angle = token * Math.Pow(theta, -2.0 * i / headSize);
                (cosine[token * half + i], sine[token * half + i]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
            }
        return (cosine, sine);
    }

    /// <summary>One head (K) turned by one position's angles (K/2); <paramref name="sign"/> -1 turns it back.</summary>
    public static Expected[] Turn(ReadOnlySpan<double> head, ReadOnlySpan<float> cosine, ReadOnlySpan<float> sine, int sign)
    {
        var (half, turned) = (head.Length / 2, new Expected[head.Length]);
        for (var i = 0; i < head.Length; i++)
        {
            var rotated = i < half ? -head[i + half] : head[i - half];
            var (first, second) = (head[i] * cosine[i % half], sign * rotated * sine[i % half]);
            // Two products and a sum are rounded.
            turned[i] = new(first + second, 2 * Expected.Unit * (Math.Abs(first) + Math.Abs(second)));
        }
        return turned;
    }
}
