namespace Streaming.Hosting.Live;

/// <summary>How long nothing has come of a run that is neither paused nor over: no step, evaluation or checkpoint.</summary>
/// <param name="Lasts">Since the last of them, or since the run began or was resumed.</param>
/// <param name="StepSeconds">What a step takes; null before the first of this process.</param>
/// <param name="Evaluation">What the last evaluation took, during which there are no steps.</param>
internal readonly record struct Silence(TimeSpan Lasts, double? StepSeconds, TimeSpan Evaluation)
{
    private const double Shortest = 120;
    private const double BeforeFirstStep = 600; // kernels are compiled, and a model that is offloaded computes for minutes

    /// <summary>Beyond what steps and evaluations of this run explain.</summary>
    public bool IsTooLong => Lasts.TotalSeconds > Math.Max(StepSeconds is { } step ? Math.Max(Shortest, 20 * step) : BeforeFirstStep, 3 * Evaluation.TotalSeconds);
}
