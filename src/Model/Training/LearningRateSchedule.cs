namespace Streaming.Model.Training;

/// <summary>
/// The learning rate as a pure function of the step, in the shapes of Transformers' <c>optimization.py</c>: a linear warm-up
/// from 0 to the peak, then one of <see cref="ScheduleKind"/>.
/// </summary>
public sealed record LearningRateSchedule
{
    /// <summary>Shape after the warm-up.</summary>
    public ScheduleKind Kind { get; init; } = ScheduleKind.Cosine;

    /// <summary>The highest learning rate.</summary>
    public required double Peak { get; init; }

    /// <summary>Steps of warm-up.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>Steps of the run, warm-up included; the last learning rate holds after them.</summary>
    public required long TotalSteps { get; init; }

    /// <summary>Share of the peak that remains at the end; <see cref="ScheduleKind.Constant"/> ignores it.</summary>
    public double MinimumRatio { get; init; }

    /// <summary>Steps of decay at the end of <see cref="ScheduleKind.WarmupStableDecay"/>; null is a tenth of the run.</summary>
    public long? DecaySteps { get; init; }

    /// <summary>The learning rate of the step after <paramref name="stepsTaken"/>; the first step's is <c>At(0)</c>.</summary>
    public double At(long stepsTaken) => Peak * Factor(stepsTaken);

    private double Factor(long step)
    {
        if (step < WarmupSteps)
        {
            var risen = (double)step / WarmupSteps;
            // Transformers lifts the warm-up of this shape alone.
            return Kind == ScheduleKind.WarmupStableDecay ? Lift(risen) : risen;
        }
        return Kind switch
        {
            ScheduleKind.Constant => 1,
            ScheduleKind.Linear => Lift(1 - Progress(step, WarmupSteps)),
            ScheduleKind.Cosine => Lift(HalfCosine(Progress(step, WarmupSteps))),
            ScheduleKind.WarmupStableDecay => Lift(HalfCosine(Progress(step, Math.Max(WarmupSteps, TotalSteps - (DecaySteps ?? TotalSteps / 10))))),
            _ => throw new InvalidOperationException($"unknown schedule {Kind}"),
        };
    }

    /// <summary>From 0 at <paramref name="start"/> to 1 at the end of the run.</summary>
    private double Progress(long step, long start) =>
        Math.Clamp((step - start) / (double)Math.Max(1, TotalSteps - start), 0, 1);

    private static double HalfCosine(double progress) => 0.5 * (1 + Math.Cos(Math.PI * progress));

    private double Lift(double factor) => Math.Max(0, factor * (1 - MinimumRatio) + MinimumRatio);
}
