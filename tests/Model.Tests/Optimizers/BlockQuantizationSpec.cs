using CsCheck;
using Streaming.Model.Optimizers;

namespace Streaming.Model.Tests.Optimizers;

public sealed class BlockQuantizationSpec
{
    // Magnitudes as gradients have them, over eight decades, and zeros.
    private static readonly Gen<float> Moment = Gen.OneOf(
        Gen.Const(0f),
        Gen.Select(Gen.Double[-12, 2], Gen.Bool, (exponent, isNegative) => (float)((isNegative ? -1 : 1) * Math.Pow(10, exponent))));

    private static readonly Gen<float[]> Block = Moment.Array[1, BlockQuantization.BlockLength];

    [Fact]
    public void A_code_stands_for_the_middle_of_its_share_of_a_decade()
    {
        Assert.Equal(128, BlockQuantization.FirstValues.Length);
        Assert.Equal(256, BlockQuantization.SecondValues.Length);
        foreach (var values in new[] { BlockQuantization.FirstValues, BlockQuantization.SecondValues })
        {
            var half = values.Length / 2;
            Assert.Equal((0f, 1f), (values[0], values[^1]));
            Assert.Equal(values.Order(), values);
            Assert.Equal(0.1 + 0.9 * 0.5 / half, values[half - 1], 1e-6);  // the smallest of the first decade
            Assert.Equal(1 - 0.9 * 0.5 / half, values[^2], 1e-6);          // its largest
            Assert.Equal(0.1 * (1 - 0.9 / half), values[half - 2], 1e-6);  // the largest of the second, which has half as many
        }
        Assert.Equal(0.325e-5, BlockQuantization.FirstValues[1], 1e-12);
        Assert.Equal(0.325e-6, BlockQuantization.SecondValues[1], 1e-12);
    }

    [Fact]
    public void Each_moment_becomes_the_nearest_value() => Block.Sample(moments =>
    {
        var codes = new byte[moments.Length];
        var scale = BlockQuantization.RoundFirst(moments, codes);
        Assert.Equal(moments.Max(Math.Abs) is var largest && largest < BlockQuantization.SmallestScale ? 0 : largest, scale);
        for (var i = 0; i < moments.Length && scale > 0; i++)
            Nearest(BlockQuantization.FirstValues, codes[i] & 0x7f, Math.Abs((double)moments[i] / scale));

        float[] squares = [.. moments.Select(moment => moment * moment)];
        scale = BlockQuantization.RoundSecond(squares, codes);
        for (var i = 0; i < moments.Length && scale > 0; i++)
        {
            var root = Math.Sqrt((double)squares[i]) / scale;
            if (codes[i] == 1 && root < BlockQuantization.SecondValues[1]) Assert.NotEqual(0, squares[i]); // never to zero
            else Nearest(BlockQuantization.SecondValues, codes[i], root);
        }
    });

    [Fact]
    public void What_was_rounded_before_stays_as_it_is() => Block.Sample(moments =>
    {
        var (codes, again) = (new byte[moments.Length], new byte[moments.Length]);
        var restored = new float[moments.Length];
        var scale = BlockQuantization.RoundFirst(moments, codes);
        BlockQuantization.RestoreFirst(codes, scale, restored);
        Assert.Equal(scale, BlockQuantization.RoundFirst(restored, again));
        Assert.Equal(codes, again);

        float[] squares = [.. moments.Select(moment => moment * moment)];
        scale = BlockQuantization.RoundSecond(squares, codes);
        BlockQuantization.RestoreSecond(codes, scale, restored);
        Assert.Equal(scale, BlockQuantization.RoundSecond(restored, again));
        Assert.Equal(codes, again);
    });

    [Fact]
    public void A_moment_is_the_mean_of_what_it_is_rounded_to_at_random() => Block.Sample(moments =>
    {
        foreach (var isFirst in new[] { true, false })
        {
            const int draws = 256;
            float[] exact = isFirst ? moments : [.. moments.Select(moment => moment * moment)];
            var scale = isFirst ? moments.Max(Math.Abs) : MathF.Sqrt(exact.Max());
            if (scale < BlockQuantization.SmallestScale) return;
            var means = new double[moments.Length];
            for (uint step = 0; step < draws; step++)
            {
                var rounded = (float[])exact.Clone();
                BlockQuantization.RoundAtRandom(rounded, isFirst, step);
                for (var i = 0; i < means.Length; i++) means[i] += (isFirst ? rounded[i] : Math.Sqrt(rounded[i])) / scale / draws;
            }
            var values = isFirst ? BlockQuantization.FirstValues : BlockQuantization.SecondValues;
            for (var i = 0; i < means.Length; i++)
            {
                var x = isFirst ? moments[i] / scale : Math.Sqrt(exact[i]) / scale;
                if (!isFirst && Math.Abs(x) < values[1]) continue; // never to zero
                var above = Array.FindIndex(values, value => value >= Math.Abs(x));
                var width = above <= 0 ? 0 : values[above] - values[above - 1];
                // A fair coin's mean over 256 draws strays by 0.03; six times that, and float32.
                Assert.Equal(x, means[i], 0.19 * width + 1e-6);
            }
        }
    }, iter: 30);

    [Fact]
    public void The_smallest_scale_that_is_kept_loses_nothing()
    {
        // Every code at once, at the scale whose smallest squares are denormal.
        var codes = Enumerable.Range(0, 256).Select(code => (byte)code).ToArray();
        var (restored, again) = (new float[256], new byte[256]);
        BlockQuantization.RestoreSecond(codes, BlockQuantization.SmallestScale, restored);
        Assert.Equal(BlockQuantization.SmallestScale, BlockQuantization.RoundSecond(restored, again));
        Assert.Equal(codes, again);
        Assert.Equal(0, BlockQuantization.RoundFirst([BlockQuantization.SmallestScale * 0.9f], again));
    }

    private static void Nearest(float[] values, int code, double x)
    {
        var distance = Math.Abs(values[code] - x);
        var least = values.Min(value => Math.Abs(value - x));
        // Two values may be equally near but for float32's rounding.
        Assert.True(distance <= least + 1e-6 * x + 1e-12, $"{x:g9} became {values[code]:g9}, {least:g3} away is another");
    }
}
