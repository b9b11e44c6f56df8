using Streaming.Hosting.Live;

namespace Streaming.Hosting.Tests.Live;

public sealed class VerdictSpec
{
    [Theory]
    [InlineData(119, 0.3, 1, "good")]
    [InlineData(121, 0.3, 1, "bad")]
    [InlineData(1199, 60.0, 1, "good")] // a large model: twenty steps
    [InlineData(1201, 60.0, 1, "bad")]
    [InlineData(500, 0.3, 180, "good")] // held-out text of three minutes
    [InlineData(599, null, 0, "good")] // the first step compiles kernels
    [InlineData(601, null, 0, "bad")]
    public void Silence_is_trouble_beyond_what_the_runs_own_steps_and_evaluations_explain(double seconds, double? step, double evaluation, string health)
    {
        var verdict = Verdict.Of("training", new PipelineLoad(), null, new Silence(TimeSpan.FromSeconds(seconds), step, TimeSpan.FromSeconds(evaluation)));
        Assert.Equal(health, verdict.Health);
        Assert.Equal(health == "bad", verdict.Sentence.StartsWith("no ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("starting")]
    [InlineData("paused")]
    [InlineData("stopping")]
    [InlineData("ended")]
    public void Nobody_expects_steps_of_a_run_that_does_not_train(string state) =>
        Assert.Equal("attention", Verdict.Of(state, new PipelineLoad(), null, new Silence(TimeSpan.FromDays(1), 0.3, TimeSpan.Zero)).Health);

    [Fact]
    public void What_has_failed_comes_before_everything_else() =>
        Assert.Equal(new Verdict("bad", "the disk is full"), Verdict.Of("paused", new PipelineLoad(), "the disk is full", default));
}
