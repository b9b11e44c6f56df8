namespace Streaming.Actors;

/// <summary>A setting that may change while the run goes on.</summary>
/// <param name="Name">The configuration's key below <c>training</c>, which has its range and its meaning.</param>
/// <param name="Read">The run's value.</param>
/// <param name="Apply">The run with another value.</param>
public sealed record RunSetting(string Name, Func<RunOptions, double> Read, Func<RunOptions, double, RunOptions> Apply)
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<RunSetting> All { get; } =
    [
        // The schedule's peak: its shape stays, and its rate at every later step scales with it.
        new("learning-rate", run => run.Training.LearningRate, (run, value) => run with { Training = run.Training with { LearningRate = value } }),
        new("max-steps", run => run.Training.MaxSteps, (run, value) => run with { Training = run.Training with { MaxSteps = (long)value } }),
        new("eval-steps", run => run.Evaluation.EvalSteps, (run, value) => run with { Evaluation = run.Evaluation with { EvalSteps = (long)value } }),
        new("save-steps", run => run.Checkpoints.SaveSteps, (run, value) => run with { Checkpoints = run.Checkpoints with { SaveSteps = (long)value } }),
    ];
}
