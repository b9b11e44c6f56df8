using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

public sealed class TransferSpec
{
    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void A_micro_batch_is_taken_whole_with_its_weight_and_nothing_beyond(string device)
    {
        using var bench = new KernelBench(device);
        var source = Enumerable.Range(1, 4 * 300).ToArray();
        var (target, scalars) = (bench.Upload(new int[source.Length + 4]), bench.Upload([new StepScalars { LossScale = 3, Step = 7 }]));
        bench.LaunchThreads("take_micro_batch", source.Length / 4, target, bench.Upload(source), source.Length / 4, scalars, 0.125f);
        Assert.Equal([.. source, 0, 0, 0, 0], target.Download());
        Assert.Equal(new StepScalars { LossScale = 3, Step = 7, LossWeight = 0.125f }, scalars.Download()[0]);
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void A_step_begins_with_its_rates_and_keeps_what_is_going_on(string device)
    {
        using var bench = new KernelBench(device);
        var before = new StepScalars { LossScale = 1024, LossWeight = 0.5f, Loss = 2.5f, Norm = 4, GoodSteps = 9, Finite = 1 };
        var scalars = bench.Upload([before]);
        bench.Launch("begin_step", 1, 1, scalars, 6e-4f, 0.1f, 0.2f, 1f, 12);
        Assert.Equal(before with { LearningRate = 6e-4f, FirstCorrection = 0.1f, SecondCorrection = 0.2f, MaximumNorm = 1, Step = 12 }, scalars.Download()[0]);
    }
}
