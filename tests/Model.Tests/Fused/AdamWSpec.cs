using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

public sealed class AdamWSpec
{
    // As the kernel is given them: in float32 0.999 is 0.99900001, which leaves 1e-5 less of a gradient's square than 0.001.
    // The host must correct the bias of what the kernel computes, so it takes powers of these.
    private const float Beta1 = 0.9f, Beta2 = 0.999f, Epsilon = 1e-8f, WeightDecay = 0.1f;

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void Steps_are_those_of_torchs_adamw(string device)
    {
        foreach (var (kind, count, decayed, blocks) in new[] { (ValueKind.Normal, 3000, 1200, 2), (ValueKind.Mixed, 4096, 4096, 3), (ValueKind.Tiny, 8, 0, 1), (ValueKind.Zero, 600, 300, 40) })
        {
            using var bench = new KernelBench(device, seed: count);
            var weights = bench.Random.DrawFloats(count, ValueKind.Normal);
            var state = new State(bench, weights, decayed, blocks);
            var references = weights.Select((weight, i) => new AdamWReference(weight, i < decayed ? WeightDecay : 0, Beta1, Beta2, Epsilon)).ToArray();

            for (var step = 1; step <= 6; step++)
            {
                var gradient = bench.Random.DrawFloats(count, kind);
                var (rate, factor) = (1e-2f / step, 1f / step);
                state.Step(gradient, Scalars(step, rate, factor));
                for (var i = 0; i < count; i++) references[i].Step((double)factor * gradient[i], rate);
            }

            var (result, high, low) = (state.Weights(), state.High.Download(), state.Low.Download());
            Agreement.Near($"weight ({kind})", [.. references.Select(element => element.Weight)], result);
            Agreement.Near($"first moment ({kind})", [.. references.Select(element => element.First)], state.First.Download());
            Agreement.Near($"second moment ({kind})", [.. references.Select(element => Denormal(element.Second))], state.Second.Download());
            Assert.Equal(Halves.Of(result).High, high);
            Assert.Equal(Halves.Of(result).Low, low);
        }
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void The_gradient_is_cleared_for_the_next_step(string device)
    {
        using var bench = new KernelBench(device);
        var state = new State(bench, bench.Random.DrawFloats(1000, ValueKind.Normal), 500, 2);
        Assert.All(state.Step(bench.Random.DrawFloats(1000, ValueKind.Normal), Scalars(1, 0.01f, 1)), value => Assert.Equal(0f, value));
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void A_step_that_is_not_finite_changes_nothing_but_clears_the_gradient(string device)
    {
        using var bench = new KernelBench(device);
        var state = new State(bench, bench.Random.DrawFloats(1000, ValueKind.Normal), 500, 2);
        state.Step(bench.Random.DrawFloats(1000, ValueKind.Normal), Scalars(1, 0.01f, 1));
        var (weights, first, second) = (state.Weights(), state.First.Download(), state.Second.Download());

        var gradient = bench.Random.DrawFloats(1000, ValueKind.Normal);
        (gradient[3], gradient[900]) = (float.NaN, float.PositiveInfinity);
        var cleared = state.Step(gradient, Scalars(2, 0.01f, 1) with { Finite = 0 });

        Assert.All(cleared, value => Assert.Equal(0f, value));
        Assert.Equal(weights, state.Weights());
        Assert.Equal(first, state.First.Download());
        Assert.Equal(second, state.Second.Download());
    }

    /// <summary>What the host writes before a step, with the outputs of <c>clip_by_norm</c> as given.</summary>
    private static StepScalars Scalars(int step, float rate, float factor) => new()
    {
        LearningRate = rate,
        FirstCorrection = (float)(1 - Math.Pow(Beta1, step)),
        SecondCorrection = (float)Math.Sqrt(1 - Math.Pow(Beta2, step)),
        GradientFactor = factor,
        Finite = 1,
    };

    /// <summary>Squares of tiny gradients are below float32's normal numbers, where its steps are 1.4e-45.</summary>
    private static Expected Denormal(Expected value) => value with { Slack = value.Slack + 1e-43 };

    private sealed class State(KernelBench bench, float[] weights, int decayed, int blocks)
    {
        public DeviceArray<ushort> High { get; } = bench.Upload(Halves.Of(weights).High);
        public DeviceArray<short> Low { get; } = bench.Upload(Halves.Of(weights).Low);
        public DeviceArray<float> First { get; } = bench.Upload(new float[weights.Length]);
        public DeviceArray<float> Second { get; } = bench.Upload(new float[weights.Length]);

        public float[] Weights() => [.. Halves.Join(High.Download(), Low.Download())];

        /// <summary>The gradient as the step leaves it.</summary>
        public float[] Step(float[] gradient, StepScalars scalars)
        {
            var buffer = bench.Upload(gradient);
            bench.Launch("adamw", blocks, 256, High, Low, buffer, First, Second, bench.Upload([scalars]), (ulong)gradient.Length, (ulong)decayed,
                Beta1, Beta2, Epsilon, WeightDecay);
            return buffer.Download();
        }
    }
}
