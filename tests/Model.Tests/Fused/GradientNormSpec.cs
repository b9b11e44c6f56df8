using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

public sealed class GradientNormSpec
{
    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void The_norm_is_that_of_the_whole_gradient(string device)
    {
        foreach (var (count, blocks, kind) in new[] { (4, 1, ValueKind.Normal), (4, 9, ValueKind.Normal), (10_000, 3, ValueKind.Mixed), (5_124, 40, ValueKind.Large), (4_096, 2, ValueKind.Zero) })
        {
            using var bench = new KernelBench(device, seed: count);
            var gradient = bench.Random.DrawFloats(count, kind);
            var norm = Math.Sqrt(gradient.Sum(value => (double)value * value));

            var scalars = Clip(bench, gradient, blocks, maximumNorm: 0);

            // Sums of positive terms: a thread's, and two reductions of ten steps; the root halves their error.
            Agreement.Near($"norm of {count} {kind}", new Expected(norm, (count / (blocks * 256) + 24) * Expected.Unit * norm), scalars.Norm);
            Assert.Equal((1f, 1f), (scalars.GradientFactor, scalars.Finite));
        }
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void Clipping_is_that_of_torchs_clip_grad_norm(string device)
    {
        using var bench = new KernelBench(device);
        float[] gradient = [3e-3f, 0, -4e-3f, 0]; // of norm 0.005: small enough for the 1e-6 to show

        // Longer than allowed: scaled down by the allowed norm over norm + 1e-6. Shorter: left alone. 0 is "no limit".
        var expected = new Expected(1e-3 / (5e-3 + 1e-6), 8 * Expected.Unit);
        Agreement.Near("factor", expected, Clip(bench, gradient, 1, maximumNorm: 1e-3f).GradientFactor);
        Assert.Equal(1f, Clip(bench, gradient, 1, maximumNorm: 5.1e-3f).GradientFactor);
        Assert.Equal(1f, Clip(bench, gradient, 1, maximumNorm: 0).GradientFactor);

        // A gradient scaled by 1024 against underflow: its norm is reported, and its factor clips, as if it were not.
        var scaled = Clip(bench, [.. gradient.Select(value => 1024 * value)], 1, maximumNorm: 1e-3f, lossScale: 1024);
        Agreement.Near("norm", new Expected(5e-3, Expected.Unit / 32), scaled.Norm);
        Agreement.Near("factor", new Expected(expected.Value / 1024, expected.Slack / 1024), scaled.GradientFactor);
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void A_gradient_that_is_not_finite_says_so(string device)
    {
        using var bench = new KernelBench(device);
        foreach (var value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e30f }) // the last one's square is infinite
        {
            var gradient = bench.Random.DrawFloats(1000, ValueKind.Normal);
            gradient[777] = value;
            Assert.Equal(0f, Clip(bench, gradient, 3, maximumNorm: 1).Finite);
        }
    }

    private static StepScalars Clip(KernelBench bench, float[] gradient, int blocks, float maximumNorm, float lossScale = 1)
    {
        var partials = bench.Allocate<float>(blocks);
        var scalars = bench.Upload([new StepScalars { LossScale = lossScale, MaximumNorm = maximumNorm, LearningRate = 7 }]);
        bench.Launch("sum_of_squares", blocks, 256, partials, bench.Upload(gradient), (ulong)gradient.Length);
        bench.Launch("clip_by_norm", 1, 1024, scalars, partials, blocks, 0);
        var result = scalars.Download()[0];
        Assert.Equal((7f, maximumNorm), (result.LearningRate, result.MaximumNorm));
        return result;
    }
}
