namespace Streaming.Model.Fused;

/// <summary>Cosines and sines of rotary position embedding (Su et al. 2021), as Transformers computes them.</summary>
internal static class RotaryAngles
{
    /// <summary>cos and sin of position * theta^(-2 i / headSize), (positions, headSize / 2) each: frequencies and angles in float32, the rest in double.</summary>
    public static (float[] Cosine, float[] Sine) Table(double theta, int headSize, int positions)
    {
        var half = headSize / 2;
        var (cosine, sine) = (new float[positions * half], new float[positions * half]);
        for (var i = 0; i < half; i++)
        {
            var frequency = (float)(1.0 / Math.Pow(theta, 2.0 * i / headSize));
            for (var position = 0; position < positions; position++)
            {
                var angle = (double)(position * frequency);
                cosine[position * half + i] = (float)Math.Cos(angle);
                sine[position * half + i] = (float)Math.Sin(angle);
            }
        }
        return (cosine, sine);
    }
}
