namespace Streaming.Actors;

/// <summary>A setting that may change while the run goes on.</summary>
/// <param name="Name">The last part of the configuration's key, which has its range and its meaning.</param>
/// <param name="Read">The run's value.</param>
/// <param name="Apply">The run with another value.</param>
/// <param name="Allows">Whether a value is within the key's range.</param>
public sealed record RunSetting(string Name, Func<RunOptions, double> Read, Func<RunOptions, double, RunOptions> Apply, Func<double, bool> Allows)
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<RunSetting> All { get; } =
    [
        // The schedule's peak: its shape stays, and its rate at every later step scales with it.
        new("learning-rate", run => run.Training.LearningRate, (run, value) => run with { Training = run.Training with { LearningRate = value } }, value => value is > 0 and <= 10),
        new("max-steps", run => run.Training.MaxSteps, (run, value) => run with { Training = run.Training with { MaxSteps = (long)value } }, value => value >= 1 && double.IsInteger(value)),
        new("eval-steps", run => run.Evaluation.EvalSteps, (run, value) => run with { Evaluation = run.Evaluation with { EvalSteps = (long)value } }, value => value >= 0 && double.IsInteger(value)),
        new("save-steps", run => run.Checkpoints.SaveSteps, (run, value) => run with { Checkpoints = run.Checkpoints with { SaveSteps = (long)value } }, value => value >= 0 && double.IsInteger(value)),
        new("log-level", run => run.LogLevel, (run, value) => run with { LogLevel = (int)value }, value => value is >= 0 and <= 5 && double.IsInteger(value)) { Words = ["trace", "debug", "information", "warning", "error", "critical"] },
    ];

    /// <summary>What the values 0, 1, … are called; empty where they are numbers.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>A value as people write it.</summary>
    public string Write(double value) => Words.Count > 0 ? Words[(int)value] : FormattableString.Invariant($"{value}");

    public static RunSetting Named(string name) => All.Single(setting => setting.Name == name);
}
