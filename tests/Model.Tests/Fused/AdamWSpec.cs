using Streaming.Model.Fused;
using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

public sealed class AdamWSpec
{
    // The kernel is given beta2, 1 - beta1 and 1 - beta2, each the float32 nearest to the exact number, as PyTorch has it: what
    // 0.999 in float32 leaves of 1 would be 1e-5 too little of a gradient's square.
    private const double Beta1 = 0.9, Beta2 = 0.999;
    private const float Epsilon = 1e-8f, WeightDecay = 0.1f;

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
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

            Agreement.Near($"weight ({kind})", [.. references.Select(element => element.Weight)], state.Weights.Download());
            Agreement.Near($"first moment ({kind})", [.. references.Select(element => element.First)], state.First.Download());
            Agreement.Near($"second moment ({kind})", [.. references.Select(element => Denormal(element.Second))], state.Second.Download());
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void The_gradient_is_cleared_for_the_next_step(string device)
    {
        using var bench = new KernelBench(device);
        var state = new State(bench, bench.Random.DrawFloats(1000, ValueKind.Normal), 500, 2);
        Assert.All(state.Step(bench.Random.DrawFloats(1000, ValueKind.Normal), Scalars(1, 0.01f, 1)), value => Assert.Equal(0f, value));
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void A_step_that_is_not_finite_changes_nothing_but_clears_the_gradient(string device)
    {
        using var bench = new KernelBench(device);
        var state = new State(bench, bench.Random.DrawFloats(1000, ValueKind.Normal), 500, 2);
        state.Step(bench.Random.DrawFloats(1000, ValueKind.Normal), Scalars(1, 0.01f, 1));
        var (weights, first, second) = (state.Weights.Download(), state.First.Download(), state.Second.Download());

        var gradient = bench.Random.DrawFloats(1000, ValueKind.Normal);
        (gradient[3], gradient[900]) = (float.NaN, float.PositiveInfinity);
        var cleared = state.Step(gradient, Scalars(2, 0.01f, 1) with { Finite = 0 });

        Assert.All(cleared, value => Assert.Equal(0f, value));
        Assert.Equal(weights, state.Weights.Download());
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
        public MasterArrays Weights { get; } = new(bench, weights);
        public DeviceArray<float> First { get; } = bench.Upload(new float[weights.Length]);
        public DeviceArray<float> Second { get; } = bench.Upload(new float[weights.Length]);

        /// <summary>The gradient as the step leaves it.</summary>
        public float[] Step(float[] gradient, StepScalars scalars)
        {
            var buffer = bench.Upload(gradient);
            bench.Launch("adamw", blocks, 256, Weights.High, Weights.Low, buffer, First, Second, bench.Upload([scalars]), (ulong)gradient.Length, (ulong)decayed,
                (float)(1 - Beta1), (float)Beta2, (float)(1 - Beta2), Epsilon, WeightDecay);
            return buffer.Download();
        }
    }
}
