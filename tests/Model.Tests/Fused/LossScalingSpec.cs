using Streaming.Model.Engines;
using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

public sealed class LossScalingSpec
{
    [Fact]
    public void The_scale_is_that_of_torchs_grad_scaler()
    {
        var scaling = LossScaling.Initial;
        Assert.Equal(new LossScaling(65536, 0), scaling);
        for (var i = 0; i < 1999; i++) scaling = scaling.After(finite: true);
        Assert.Equal(new LossScaling(65536, 1999), scaling);
        Assert.Equal(new LossScaling(131072, 0), scaling.After(finite: true));
        Assert.Equal(new LossScaling(32768, 0), scaling.After(finite: false));
        Assert.Equal(new LossScaling(1, 0), new LossScaling(1, 7).After(finite: false));
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void The_device_scales_as_the_host_does(string device)
    {
        using var bench = new KernelBench(device);
        foreach (var (before, finite) in new[]
        {
            (LossScaling.Initial, true), (LossScaling.Initial, false), (new LossScaling(8, 1998), true), (new LossScaling(8, 1999), true),
            (new LossScaling(8, 1999), false), (new LossScaling(1, 5), false), (new LossScaling(MathF.ScaleB(1, 127), 1999), true),
        })
        {
            var after = Clip(bench, before, finite, LossScaling.GrowthInterval);
            Assert.Equal(before.After(finite), new LossScaling(after.LossScale, (int)after.GoodSteps));
            Assert.Equal(finite ? 1 : 0, after.Finite);
            if (finite) Assert.Equal(1 / before.Scale, after.GradientFactor); // the step itself is unscaled by what it was scaled by
        }
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void Without_scaling_the_scale_stays(string device)
    {
        using var bench = new KernelBench(device);
        foreach (var finite in new[] { true, false })
        {
            var after = Clip(bench, new LossScaling(1, 0), finite, interval: 0);
            Assert.Equal((1f, 0f), (after.LossScale, after.GoodSteps));
        }
    }

    private static StepScalars Clip(KernelBench bench, LossScaling before, bool finite, int interval)
    {
        var scalars = bench.Upload([new StepScalars { LossScale = before.Scale, GoodSteps = before.GoodSteps }]);
        bench.Launch("clip_by_norm", 1, 1024, scalars, bench.Upload([1f, finite ? 2f : float.NaN]), 2, interval);
        return scalars.Download()[0];
    }
}
