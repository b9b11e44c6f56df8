using Streaming.Model.Fused;
using Streaming.Model.Optimizers;

namespace Streaming.Model.Tests.Fused;

public sealed class AdamW8BitSpec
{
    private const double Beta1 = 0.9, Beta2 = 0.95;
    private const float Epsilon = 1e-8f, WeightDecay = 0.1f, Rate = 1e-3f, Factor = 0.5f;

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void A_step_restores_updates_and_rounds(string device)
    {
        // Whole blocks and a short last one, fewer and more blocks than warps.
        foreach (var (kind, count, grid) in new[] { (ValueKind.Normal, 2048, 1), (ValueKind.Normal, 8, 1), (ValueKind.Mixed, 5000, 2), (ValueKind.Zero, 520, 7), (ValueKind.Tiny, 264, 1) })
        {
            using var bench = new KernelBench(device, seed: count);
            var state = new State(bench, bench.Random.DrawFloats(count, ValueKind.Normal));
            for (var step = 1; step <= 4; step++)
            {
                var gradient = bench.Random.DrawFloats(count, kind);
                var (weights, first, second) = (state.Weights.Download(), state.First(), state.Second());
                Assert.All(state.Step(gradient, grid, step), value => Assert.Equal(0f, value));
                Check($"{kind}, step {step}", gradient, weights, first, second, state, step);
            }
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void A_step_that_is_not_finite_changes_nothing_but_clears_the_gradient(string device)
    {
        using var bench = new KernelBench(device);
        var state = new State(bench, bench.Random.DrawFloats(1000, ValueKind.Normal));
        state.Step(bench.Random.DrawFloats(1000, ValueKind.Normal), 1, 1);
        var (weights, first, second) = (state.Weights.Download(), state.First(), state.Second());

        var gradient = bench.Random.DrawFloats(1000, ValueKind.Normal);
        gradient[999] = float.NaN;
        Assert.All(state.Step(gradient, 1, 2, finite: 0), value => Assert.Equal(0f, value));

        Assert.Equal(weights, state.Weights.Download());
        Assert.Equal(first, state.First());
        Assert.Equal(second, state.Second());
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void A_moment_is_the_mean_of_what_it_is_rounded_to(string device)
    {
        using var bench = new KernelBench(device);
        const int count = 256 * 64;
        // One value a block is its scale; the others lie a third of the way between two codes, in a coarse decade, so that after a step
        // from zero moments each becomes one of the two.
        foreach (var (values, isFirst) in new[] { (BlockQuantization.FirstValues, true), (BlockQuantization.SecondValues, false) })
        {
            var code = values.Length / 8;
            var x = values[code] + (values[code + 1] - values[code]) / 3;
            var gradient = Enumerable.Range(0, count).Select(i => i % 256 == 0 ? 1f : x).ToArray();
            var state = new State(bench, new float[count]);
            state.Step(gradient, 2, step: 7);
            var rounded = isFirst ? state.First() : [.. state.Second().Select(MathF.Sqrt)];
            var above = rounded.Where((_, i) => i % 256 != 0).Average(value => value / rounded[0] > x ? 1.0 : 0.0);
            // 16,320 draws of 8 bits: a standard deviation of 0.0037.
            Assert.Equal(1 / 3.0, above, 0.015);
            Assert.Equal(x, rounded.Where((_, i) => i % 256 != 0).Average(value => value / rounded[0]), 0.02 * (values[code + 1] - values[code]));
        }
    }

    // AdamW on what the codes stood for; then each block's scale is its largest magnitude, and each code that of a value beside the moment.
    private static void Check(string what, float[] gradient, float[] weights, float[] first, float[] second, State state, int step)
    {
        var (expectedWeights, m, root) = (new Expected[gradient.Length], new double[gradient.Length], new double[gradient.Length]);
        var (stepSize, correction) = (Rate / (1 - Math.Pow(Beta1, step)), Math.Sqrt(1 - Math.Pow(Beta2, step)));
        for (var i = 0; i < gradient.Length; i++)
        {
            var g = (double)Factor * gradient[i];
            m[i] = Beta1 * first[i] + (1 - Beta1) * g;
            root[i] = Math.Sqrt(Beta2 * second[i] + (1 - Beta2) * g * g);
            var denominator = root[i] / correction + Epsilon;
            // Seven roundings in the moments and the division, and what their cancelling parts leave.
            var slack = stepSize * 16 * Expected.Unit * (Math.Abs(first[i]) + Math.Abs(g) + Math.Abs(m[i])) / denominator;
            expectedWeights[i] = new(weights[i] * (1 - Rate * (double)WeightDecay) - stepSize * m[i] / denominator, slack + 4 * Expected.Unit * (Math.Abs(weights[i]) + Rate));
        }
        Agreement.Near($"weight ({what})", expectedWeights, state.Weights.Download());
        Rounded($"first moment ({what})", m, state.First(), BlockQuantization.FirstValues, isSecond: false);
        Rounded($"root of the second moment ({what})", root, [.. state.Second().Select(MathF.Sqrt)], BlockQuantization.SecondValues, isSecond: true);
    }

    private static void Rounded(string what, double[] expected, float[] actual, float[] values, bool isSecond)
    {
        for (var start = 0; start < expected.Length; start += BlockQuantization.BlockLength)
        {
            var end = Math.Min(start + BlockQuantization.BlockLength, expected.Length);
            var scale = expected[start..end].Max(Math.Abs);
            if (scale < BlockQuantization.SmallestScale) scale = 0;
            for (var i = start; i < end; i++)
            {
                var x = scale == 0 ? 0 : Math.Abs(expected[i]) / scale;
                var result = scale == 0 ? Math.Abs(actual[i]) : Math.Abs(actual[i]) / scale;
                // Some roundings of float32, relative to the block's scale where a moment's terms cancel.
                const double slack = 3e-6;
                double below = values.Last(value => value <= Math.Max(0, x - slack)), above = values.FirstOrDefault(value => value >= x + slack, 1);
                if (isSecond && x > 0) below = Math.Max(below, Math.Min(above, values[1]));
                if (!(result >= below - slack && result <= above + slack)) Assert.Fail($"{what}[{i}] is {actual[i]:g9}, {expected[i]:g9} in a block up to {scale:g9} expected");
                if (actual[i] != 0 && Math.Abs(expected[i]) > 1e-6 * scale) Assert.Equal(Math.Sign(expected[i]), Math.Sign(actual[i]));
            }
        }
    }

    private sealed class State(KernelBench bench, float[] weights)
    {
        private readonly int _count = weights.Length, _blocks = Blocks(weights.Length);
        private readonly DeviceArray<byte> _first = Zeros(bench, weights.Length), _second = Zeros(bench, weights.Length);
        private readonly DeviceArray<float> _firstScales = bench.Upload(new float[Blocks(weights.Length)]), _secondScales = bench.Upload(new float[Blocks(weights.Length)]);

        public MasterArrays Weights { get; } = new(bench, weights);

        public float[] First() => Restore(_first, _firstScales, BlockQuantization.RestoreFirst);

        public float[] Second() => Restore(_second, _secondScales, BlockQuantization.RestoreSecond);

        /// <summary>The gradient as the step leaves it.</summary>
        public float[] Step(float[] gradient, int grid, int step, float finite = 1)
        {
            var buffer = bench.Upload(gradient);
            var scalars = bench.Upload([new StepScalars
            {
                LearningRate = Rate,
                Step = (uint)step,
                FirstCorrection = (float)(1 - Math.Pow(Beta1, step)),
                SecondCorrection = (float)Math.Sqrt(1 - Math.Pow(Beta2, step)),
                GradientFactor = Factor,
                Finite = finite,
            }]);
            bench.Launch("adamw_8bit", grid, 256, Weights.High, Weights.Low, buffer, _first, _second, _firstScales, _secondScales,
                bench.Upload([.. BlockQuantization.FirstValues, .. BlockQuantization.SecondValues]), scalars, (ulong)gradient.Length, 5L,
                (float)(1 - Beta1), (float)Beta2, (float)(1 - Beta2), Epsilon, WeightDecay);
            return buffer.Download();
        }

        private float[] Restore(DeviceArray<byte> codes, DeviceArray<float> scales, RestoreBlock restore)
        {
            var (bytes, factors, values) = (codes.Download(), scales.Download(), new float[_blocks * BlockQuantization.BlockLength]);
            for (var block = 0; block < _blocks; block++)
            {
                var start = block * BlockQuantization.BlockLength;
                restore(bytes.AsSpan(start, BlockQuantization.BlockLength), factors[block], values.AsSpan(start, BlockQuantization.BlockLength));
            }
            Assert.All(values[_count..], value => Assert.Equal(0, value)); // behind a short last block
            return values[.._count];
        }

        private delegate void RestoreBlock(ReadOnlySpan<byte> codes, float scale, Span<float> values);

        private static int Blocks(int count) => (count + BlockQuantization.BlockLength - 1) / BlockQuantization.BlockLength;

        private static DeviceArray<byte> Zeros(KernelBench bench, int count) => bench.Upload(new byte[Blocks(count) * BlockQuantization.BlockLength]);
    }
}
