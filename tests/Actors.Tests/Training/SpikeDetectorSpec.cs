namespace Streaming.Actors.Tests.Training;

public sealed class SpikeDetectorSpec
{
    private static SpikeDetector Filled(double threshold = 10)
    {
        var detector = new SpikeDetector(threshold, 64);
        for (var step = 0; step < 100; step++)
            detector.Add(3f + 0.05f * MathF.Sin(step), 1f + 0.2f * MathF.Cos(step));
        return detector;
    }

    [Fact]
    public void A_loss_far_above_the_window_is_found_with_its_score()
        => Assert.Matches(@"^the loss is 5\.5000, \d+\.\d standard deviations above the \d\.\d+ of the last 64 steps$", Filled().Find(5.5f, 1));

    [Fact]
    public void Text_of_another_kind_is_no_spike() => Assert.Null(Filled().Find(3.9f, 2));

    [Fact]
    public void A_norm_is_a_spike_where_it_is_ten_times_the_highest_and_far_out()
    {
        Assert.StartsWith("the gradient's norm is 90.00", Filled().Find(3, 90), StringComparison.Ordinal);
        Assert.Null(Filled().Find(3, 9));
    }

    [Fact]
    public void Nothing_is_found_before_the_window_is_full()
    {
        var detector = new SpikeDetector(10, 64);
        for (var step = 0; step < 63; step++)
            detector.Add(3, 1);
        Assert.Null(detector.Find(100, 100));
    }

    [Fact]
    public void A_threshold_of_zero_looks_for_nothing() => Assert.Null(Filled(threshold: 0).Find(1000, 1000));

    [Fact]
    public void A_window_of_equal_losses_has_a_deviation_all_the_same()
    {
        var detector = new SpikeDetector(10, 4);
        for (var step = 0; step < 4; step++)
            detector.Add(2, 1);
        Assert.NotNull(detector.Find(3.5f, 1));
        Assert.Null(detector.Find(2.5f, 1));
    }
}
