using Streaming.Model.Fused;
using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

public sealed class RmsNormSpec
{
    private const float Epsilon = 1e-5f;

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Forward_scales_each_row_to_a_mean_square_of_one(string device, string shape)
    {
        foreach (var kind in Values.Kinds)
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            var (hidden, rows) = (bench.Shape.Hidden, bench.Random.Next(1, 2 * bench.Shape.RowsPerBlock + 3));
            var x = bench.DrawHalf(rows * hidden, kind);
            var weight = Weight(bench);

            var y = Forward(bench, x, weight, rows);

            Agreement.Rounded(bench.Half, $"y of {kind}", PerRow(bench, rows, hidden, x, row => RmsNormReference.Forward(row, weight, Epsilon)), y);
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Backward_gives_the_gradients_of_input_and_weight_and_the_output_again(string device, string shape)
    {
        foreach (var (kind, add, blocks) in new[] { (ValueKind.Normal, 0, 3), (ValueKind.Normal, 1, 1), (ValueKind.Large, 1, 2), (ValueKind.Tiny, 0, 9), (ValueKind.Zero, 1, 2), (ValueKind.Mixed, 1, 5) })
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            var (hidden, rows) = (bench.Shape.Hidden, bench.Random.Next(1, 2 * bench.Shape.RowsPerBlock + 6));
            var x = bench.DrawHalf(rows * hidden, kind);
            var outputGradient = bench.DrawHalf(rows * hidden, kind == ValueKind.Tiny ? ValueKind.Normal : kind);
            var residual = bench.DrawHalf(rows * hidden, kind);
            var weight = Weight(bench);
            var initial = bench.Random.DrawFloats(hidden, kind);
            var (high, low) = bench.UploadMasters(weight);
            var result = add == 1 ? bench.Upload(residual) : bench.Allocate<ushort>(rows * hidden);
            var y = bench.Allocate<ushort>(rows * hidden);
            var partials = bench.Allocate<float>(blocks * hidden);
            var weightGradient = bench.Upload(initial);

            bench.Launch("rms_norm_backward", blocks, FusedShape.RowBlock, result, y, partials, bench.Upload(x), bench.Upload(outputGradient),
                high, low, rows, Epsilon, add);
            bench.Launch("rms_norm_weight_gradient", (hidden + 31) / 32, new Extent(32, 8), weightGradient, partials, blocks);

            var gradients = bench.Half.ToDoubles(outputGradient);
            var row = 0;
            var expected = PerRow(bench, rows, hidden, x, values => RmsNormReference.Backward(values, gradients.AsSpan(row++ * hidden, hidden), weight, Epsilon));
            if (add == 1)
                for (var i = 0; i < expected.Length; i++)
                {
                    // The sum with the residual is rounded once more before bf16.
                    var (before, change) = (bench.Half.ToDouble(residual[i]), expected[i]);
                    expected[i] = new(before + change.Value, change.Slack + 2 * Expected.Unit * (Math.Abs(before) + Math.Abs(change.Value)));
                }
            Agreement.Rounded(bench.Half, $"gradient of {kind} input", expected, result.Download());
            Assert.Equal(Forward(bench, x, weight, rows), y.Download());

            // A term more for each addition: the rows, the blocks and what the gradient held before.
            var sums = initial.Select(value => new Expected(value, (rows + 2 + blocks) * Expected.Unit * Math.Abs(value))).ToArray();
            for (var i = 0; i < rows; i++)
                RmsNormReference.AddWeightGradient(sums, bench.Half.ToDoubles(x.AsSpan(i * hidden, hidden)), gradients.AsSpan(i * hidden, hidden), Epsilon, rows + 2 + blocks);
            Agreement.Near($"gradient of the weight for {kind} input", sums, weightGradient.Download());
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Weight_gradients_of_several_norms_are_summed_in_one_launch(string device, string shape)
    {
        const int norms = 3, blocks = 13;
        using var bench = new KernelBench(device, shape);
        var hidden = bench.Shape.Hidden;
        var partials = bench.Random.DrawFloats(norms * blocks * hidden, ValueKind.Mixed);
        var initial = bench.Random.DrawFloats(norms * hidden, ValueKind.Normal);
        var gradient = bench.Upload(initial);

        bench.Launch("rms_norm_weight_gradient", new Extent((hidden + 31) / 32, norms), new Extent(32, 8), gradient, bench.Upload(partials), blocks);

        var expected = new Expected[norms * hidden];
        for (var i = 0; i < expected.Length; i++)
        {
            double sum = initial[i], magnitude = Math.Abs(sum);
            for (var block = 0; block < blocks; block++)
            {
                var value = partials[(i / hidden * blocks + block) * hidden + i % hidden];
                sum += value;
                magnitude += Math.Abs(value);
            }
            expected[i] = new(sum, (blocks + 8) * Expected.Unit * magnitude);
        }
        Agreement.Near("gradient", expected, gradient.Download());
    }

    [Fact]
    public void The_references_gradient_is_the_slope_of_its_output()
    {
        var random = new Random(1);
        const int hidden = 24;
        var (x, outputGradient) = (new double[hidden], new double[hidden]);
        for (var i = 0; i < hidden; i++) (x[i], outputGradient[i]) = (random.Draw(ValueKind.Normal), random.Draw(ValueKind.Normal));
        var weight = random.DrawFloats(hidden, ValueKind.Normal);

        double Output(double[] input) => RmsNormReference.Forward(input, weight, Epsilon).Zip(outputGradient, (y, gradient) => y.Value * gradient).Sum();

        var gradient = RmsNormReference.Backward(x, outputGradient, weight, Epsilon);
        for (var i = 0; i < hidden; i++) Assert.Equal(Slope.Of(Output, x, i), gradient[i].Value, Slope.Tolerance);
        var weightGradient = new Expected[hidden];
        RmsNormReference.AddWeightGradient(weightGradient, x, outputGradient, Epsilon, 1);
        for (var i = 0; i < hidden; i++)
        {
            // The output is linear in the weight: its slope is what a weight of one in place i and zero elsewhere puts out.
            var only = new float[hidden];
            only[i] = 1;
            Assert.Equal(RmsNormReference.Forward(x, only, Epsilon)[i].Value * outputGradient[i], weightGradient[i].Value, 1e-12);
        }
    }

    private static ushort[] Forward(KernelBench bench, ushort[] x, float[] weight, int rows)
    {
        var (high, low) = bench.UploadMasters(weight);
        var y = bench.Allocate<ushort>(x.Length);
        var blocks = (rows + bench.Shape.RowsPerBlock - 1) / bench.Shape.RowsPerBlock;
        bench.Launch("rms_norm_forward", blocks, FusedShape.RowBlock, y, bench.Upload(x), high, low, rows, Epsilon);
        return y.Download();
    }

    /// <summary>Near one, as trained norms are, with all 24 bits in use.</summary>
    private static float[] Weight(KernelBench bench) => [.. bench.Random.DrawFloats(bench.Shape.Hidden, ValueKind.Normal).Select(value => 1 + 0.3f * value)];

    private static Expected[] PerRow(KernelBench bench, int rows, int hidden, ushort[] x, Func<double[], Expected[]> reference) =>
        [.. Enumerable.Range(0, rows).SelectMany(row => reference(bench.Half.ToDoubles(x.AsSpan(row * hidden, hidden))))];
}
