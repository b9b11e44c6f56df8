using Streaming.Model.Training;

namespace Streaming.Model.Tests.Training;

/// <summary>Expected values: the lambdas of Transformers' <c>optimization.py</c>, worked out by hand.</summary>
public sealed class LearningRateScheduleSpec
{
    private static LearningRateSchedule Schedule(ScheduleKind kind, double minimum = 0) =>
        new() { Kind = kind, Peak = 2e-3, WarmupSteps = 10, TotalSteps = 110, MinimumRatio = minimum, DecaySteps = 20 };

    [Theory]
    [InlineData(ScheduleKind.Cosine, 0, 0.0)]
    [InlineData(ScheduleKind.Cosine, 5, 0.5)]
    [InlineData(ScheduleKind.Cosine, 10, 1.0)]
    [InlineData(ScheduleKind.Cosine, 35, 0.8535533905932737)] // (1 + cos(pi / 4)) / 2
    [InlineData(ScheduleKind.Cosine, 60, 0.5)]
    [InlineData(ScheduleKind.Cosine, 110, 0.0)]
    [InlineData(ScheduleKind.Cosine, 500, 0.0)]
    [InlineData(ScheduleKind.Linear, 5, 0.5)]
    [InlineData(ScheduleKind.Linear, 10, 1.0)]
    [InlineData(ScheduleKind.Linear, 35, 0.75)]
    [InlineData(ScheduleKind.Linear, 110, 0.0)]
    [InlineData(ScheduleKind.Constant, 1, 0.1)]
    [InlineData(ScheduleKind.Constant, 10, 1.0)]
    [InlineData(ScheduleKind.Constant, 110, 1.0)]
    [InlineData(ScheduleKind.WarmupStableDecay, 5, 0.5)]
    [InlineData(ScheduleKind.WarmupStableDecay, 10, 1.0)]
    [InlineData(ScheduleKind.WarmupStableDecay, 90, 1.0)]
    [InlineData(ScheduleKind.WarmupStableDecay, 100, 0.5)]
    [InlineData(ScheduleKind.WarmupStableDecay, 110, 0.0)]
    public void It_equals_that_of_Transformers(ScheduleKind kind, long step, double share) =>
        Assert.Equal(2e-3 * share, Schedule(kind).At(step), 1e-15);

    [Theory]
    [InlineData(ScheduleKind.Cosine, 5, 0.5)]
    [InlineData(ScheduleKind.Cosine, 60, 0.55)]
    [InlineData(ScheduleKind.Cosine, 110, 0.1)]
    [InlineData(ScheduleKind.Linear, 60, 0.55)]
    [InlineData(ScheduleKind.Linear, 110, 0.1)]
    [InlineData(ScheduleKind.WarmupStableDecay, 0, 0.1)] // this shape's warm-up begins at the minimum
    [InlineData(ScheduleKind.WarmupStableDecay, 100, 0.55)]
    [InlineData(ScheduleKind.WarmupStableDecay, 1000, 0.1)]
    public void It_ends_at_the_minimum(ScheduleKind kind, long step, double share) =>
        Assert.Equal(2e-3 * share, Schedule(kind, minimum: 0.1).At(step), 1e-15);

    [Fact]
    public void A_run_without_warm_up_begins_at_the_peak() =>
        Assert.Equal(2e-3, (Schedule(ScheduleKind.Cosine) with { WarmupSteps = 0 }).At(0));
}
