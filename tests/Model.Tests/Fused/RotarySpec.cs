using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

public sealed class RotarySpec
{
    private const int Tokens = 7, Rows = 3 * Tokens; // of three texts

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Forward_turns_queries_and_keys_and_leaves_values(string device, string shape)
    {
        foreach (var kind in Values.Kinds)
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            var packed = bench.DrawHalf(Rows * bench.Shape.PackedWidth, kind);

            Agreement.Rounded(bench.Half, $"packed rows of {kind}", Turned(bench, packed, 1), Forward(bench, packed));
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Backward_packs_the_gradients_and_turns_them_back(string device, string shape)
    {
        foreach (var kind in Values.Kinds)
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            var packed = bench.DrawHalf(Rows * bench.Shape.PackedWidth, kind);

            Agreement.Rounded(bench.Half, $"packed gradients of {kind}", Turned(bench, packed, -1), Backward(bench, packed));
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Backward_after_forward_is_where_it_began(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        var packed = bench.DrawHalf(Rows * bench.Shape.PackedWidth, ValueKind.Normal);

        var back = bench.Half.ToDoubles(Backward(bench, Forward(bench, packed)));

        // Either turn rounds both values of a pair, each by at most so much of the pair's length.
        var (values, half) = (bench.Half.ToDoubles(packed), bench.Shape.HeadSize / 2);
        for (var i = 0; i < values.Length; i++)
        {
            var partner = i % bench.Shape.HeadSize < half ? i + half : i - half;
            Assert.Equal(values[i], back[i], 3 * bench.Half.Epsilon * Math.Sqrt(values[i] * values[i] + values[partner] * values[partner]));
        }
    }

    [Fact]
    public void Turning_back_is_the_gradient_of_turning()
    {
        const int headSize = 16;
        var random = new Random(1);
        var (head, gradient) = (new double[headSize], new double[headSize]);
        for (var i = 0; i < headSize; i++) (head[i], gradient[i]) = (random.Draw(ValueKind.Normal), random.Draw(ValueKind.Normal));
        var (cosine, sine) = RotaryReference.Angles(6, headSize, 10_000);
        var (c, s) = (cosine[(5 * headSize / 2)..], sine[(5 * headSize / 2)..]);

        double Output(double[] input) => RotaryReference.Turn(input, c, s, 1).Zip(gradient, (y, weight) => y.Value * weight).Sum();

        var back = RotaryReference.Turn(gradient, c, s, -1);
        for (var i = 0; i < headSize; i++) Assert.Equal(Slope.Of(Output, head, i), back[i].Value, Slope.Tolerance);
    }

    private static ushort[] Forward(KernelBench bench, ushort[] packed)
    {
        var shape = bench.Shape;
        var (cosine, sine) = RotaryReference.Angles(Tokens, shape.HeadSize, shape.Model.RopeTheta);
        var rows = bench.Upload(packed);
        var threads = Rows * (shape.Heads + shape.KeyValueHeads) * shape.HeadSize / 16;
        bench.LaunchThreads("rotary_forward", threads, rows, bench.Upload(cosine), bench.Upload(sine), Rows, Tokens);
        return rows.Download();
    }

    private static ushort[] Backward(KernelBench bench, ushort[] packed)
    {
        var shape = bench.Shape;
        var (cosine, sine) = RotaryReference.Angles(Tokens, shape.HeadSize, shape.Model.RopeTheta);
        ushort[] Columns(int first, int count) =>
            [.. Enumerable.Range(0, Rows).SelectMany(row => packed.AsSpan(row * shape.PackedWidth + first, count).ToArray())];
        var query = bench.Upload(Columns(0, shape.QueryWidth));
        var key = bench.Upload(Columns(shape.QueryWidth, shape.KeyValueWidth));
        var value = bench.Upload(Columns(shape.QueryWidth + shape.KeyValueWidth, shape.KeyValueWidth));
        var result = bench.Allocate<ushort>(packed.Length);
        bench.LaunchThreads("rotary_backward", packed.Length / 16, result, query, key, value, bench.Upload(cosine), bench.Upload(sine), Rows, Tokens);
        return result.Download();
    }

    private static Expected[] Turned(KernelBench bench, ushort[] packed, int sign)
    {
        var shape = bench.Shape;
        var (cosine, sine) = RotaryReference.Angles(Tokens, shape.HeadSize, shape.Model.RopeTheta);
        var expected = bench.Half.ToDoubles(packed).Select(value => (Expected)value).ToArray();
        for (var row = 0; row < Rows; row++)
            for (var head = 0; head < shape.Heads + shape.KeyValueHeads; head++)
            {
                var (start, angle) = (row * shape.PackedWidth + head * shape.HeadSize, row % Tokens * shape.HeadSize / 2);
                var values = bench.Half.ToDoubles(packed.AsSpan(start, shape.HeadSize));
                RotaryReference.Turn(values, cosine.AsSpan(angle, shape.HeadSize / 2), sine.AsSpan(angle, shape.HeadSize / 2), sign).CopyTo(expected, start);
            }
        return expected;
    }
}
