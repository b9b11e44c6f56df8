namespace Streaming.Model.Optimizers;

/// <summary>
/// Moments in 8 bits: blocks of 256 values, each with its largest magnitude as a float32 scale and a code a value (blockwise dynamic
/// quantisation, Dettmers et al. 2022). The kernel <c>adamw_8bit</c> reads and writes the same.
/// </summary>
/// <remarks>
/// A code counts through decades of ten times finer values: 64 from 0.1 to 1, 32 from 0.01 to 0.1, down to 2, evenly spaced. Two things
/// differ from the paper's: 1 and -1 have codes of their own in place of the two smallest magnitudes, so that rounding what was rounded
/// before gives the same bytes and a checkpoint in float32 loses nothing; and of the second moment it is the square root that is
/// rounded (twice as many values a decade), never to zero: an update divides by it. An update rounds at random (<see cref="RoundAtRandom"/>).
/// </remarks>
internal static class BlockQuantization
{
    public const int BlockLength = 256, FirstFractions = 64, SecondFractions = 128;

    /// <summary>2^-48: blocks of smaller values are zero. Beside AdamW's epsilon they move no weight, and their squares leave float32.</summary>
    public const float SmallestScale = 1.0f / (1L << 48);

    /// <summary>What first moments' codes stand for, sign bit aside: (128).</summary>
    public static float[] FirstValues { get; } = Values(FirstFractions);

    /// <summary>What second moments' codes stand for, as square roots: (256).</summary>
    public static float[] SecondValues { get; } = Values(SecondFractions);

    /// <summary>Rounds one block, or what there is of it, of first moments.</summary>
    /// <returns>The scale.</returns>
    public static float RoundFirst(ReadOnlySpan<float> moments, Span<byte> codes)
    {
        var largest = 0f;
        foreach (var moment in moments) largest = Math.Max(largest, Math.Abs(moment));
        var (scale, inverse) = ScaleOf(largest);
        for (var i = 0; i < moments.Length; i++)
        {
            var x = moments[i] * inverse;
            codes[i] = (byte)(Code(Math.Abs(x), FirstFractions, 0.1625f) | (float.IsNegative(x) ? 0x80 : 0));
        }
        return scale;
    }

    /// <inheritdoc cref="RoundFirst"/>
    public static float RoundSecond(ReadOnlySpan<float> moments, Span<byte> codes)
    {
        var largest = 0f;
        foreach (var moment in moments) largest = Math.Max(largest, moment);
        var (scale, inverse) = ScaleOf(MathF.Sqrt(largest));
        for (var i = 0; i < moments.Length; i++) codes[i] = (byte)Code(MathF.Sqrt(moments[i]) * inverse, SecondFractions, 0);
        return scale;
    }

    public static void RestoreFirst(ReadOnlySpan<byte> codes, float scale, Span<float> moments)
    {
        for (var i = 0; i < moments.Length; i++) moments[i] = FirstValues[codes[i] & 0x7f] * (codes[i] < 0x80 ? scale : -scale);
    }

    public static void RestoreSecond(ReadOnlySpan<byte> codes, float scale, Span<float> moments)
    {
        for (var i = 0; i < moments.Length; i++)
        {
            var root = SecondValues[codes[i]] * scale;
            moments[i] = root * root;
        }
    }

    /// <summary>
    /// Replaces moments by what one of the two codes beside each stands for, drawn so that the moment is the mean. Rounding to the
    /// nearest would hold moments fast that shrink by less than half a code's width a step.
    /// </summary>
    /// <param name="moments">A parameter's.</param>
    /// <param name="isFirst">First moments; otherwise second ones, of which the square root is rounded.</param>
    /// <param name="step">The step's number, which decides with the place of a moment what is drawn.</param>
    public static void RoundAtRandom(Span<float> moments, bool isFirst, uint step)
    {
        for (var start = 0; start < moments.Length; start += BlockLength)
        {
            var block = moments.Slice(start, Math.Min(BlockLength, moments.Length - start));
            var largest = 0f;
            foreach (var moment in block) largest = Math.Max(largest, Math.Abs(moment));
            var (scale, inverse) = ScaleOf(isFirst ? largest : MathF.Sqrt(largest));
            for (var i = 0; i < block.Length; i++)
            {
                var x = (isFirst ? Math.Abs(block[i]) : MathF.Sqrt(block[i])) * inverse;
                var value = scale * (isFirst ? Draw(FirstValues, x, Chance(start + i, step, 0)) : Math.Max(Draw(SecondValues, x, Chance(start + i, step, 2)), x > 0 ? SecondValues[1] : 0));
                block[i] = isFirst ? MathF.CopySign(value, block[i]) : value * value;
            }
        }
    }

    // The value above x with the probability that makes x the mean.
    private static float Draw(float[] values, float x, float chance)
    {
        var above = Array.BinarySearch(values, x) is var found && found >= 0 ? found : Math.Min(~found, values.Length - 1);
        if (values[above] <= x) return values[above];
        return x - values[above - 1] > chance * (values[above] - values[above - 1]) ? values[above] : values[above - 1];
    }

    // As the kernel draws: 8 bits for each of 8 neighbours, two words for the first moments and two for the second.
    private static float Chance(int element, uint step, uint word) =>
        ((Noise((Noise(step) ^ (4 * (uint)(element / 8))) + word + (uint)(element % 8 / 4)) >> (8 * (element % 4)) & 0xff) + 0.5f) / 256;

    /// <summary>32 random bits of each <paramref name="x"/>: a step of PCG and its output function (Jarzynski and Olano 2020).</summary>
    private static uint Noise(uint x)
    {
        x = x * 747796405u + 2891336453u;
        x = ((x >> (int)((x >> 28) + 4)) ^ x) * 277803737u;
        return x >> 22 ^ x;
    }

    /// <summary>The code of the value nearest to <paramref name="x"/>, from 0 to 1; below <paramref name="least"/> of the finest decade it is zero.</summary>
    private static int Code(float x, int fractions, float least)
    {
        var (top, width) = (2 * fractions - 1, 1f / fractions);
        if (x > 1f - 0.225f * width) return top;
        // Halfway between a decade's smallest value and the next one's largest.
        while (fractions > 2 && x < 0.1f + 0.18f * width)
        {
            x *= 10;
            fractions /= 2;
            width *= 2;
        }
        if (x == 0 || (fractions == 2 && x < least)) return 0;
        return fractions - 1 + Math.Clamp((int)((x - 0.1f) * (fractions / 0.9f)), 0, fractions - 1);
    }

    private static (float Scale, float Inverse) ScaleOf(float largest) => largest < SmallestScale ? (0, 0) : (largest, 1 / largest);

    private static float[] Values(int fractions)
    {
        var values = new float[2 * fractions];
        var decade = 1.0;
        for (var count = fractions; count >= 2; count /= 2, decade /= 10)
            for (var i = 0; i < count; i++) values[count - 1 + i] = (float)(decade * (0.1 + 0.9 * (i + 0.5) / count));
        values[^1] = 1;
        return values;
    }
}
