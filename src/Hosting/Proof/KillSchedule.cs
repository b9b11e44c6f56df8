namespace Streaming.Hosting.Proof;

/// <summary>When a process is killed.</summary>
/// <param name="AfterSteps">Once it has taken so many steps.</param>
/// <param name="Later">So long after that.</param>
/// <param name="GraceBefore">It is asked to end so long before it is killed; null kills it without a word.</param>
internal sealed record Kill(long AfterSteps, TimeSpan Later, TimeSpan? GraceBefore);

/// <summary>
/// Draws the moments of the kills, by a seed: some while the process starts, some while it shuts down, most anywhere in what is left of
/// the run, so that all of them come before its end.
/// </summary>
/// <param name="seed">Another seed, other moments.</param>
/// <param name="startup">Time from a process's start to its first step.</param>
/// <param name="step">Time of a step, checkpoints and evaluations included.</param>
internal sealed class KillSchedule(int seed, TimeSpan startup, TimeSpan step)
{
    private static readonly TimeSpan s_longestGrace = TimeSpan.FromMilliseconds(700);

    private readonly Random _random = new(seed);

    /// <param name="stepsLeft">Steps that the run has yet to take.</param>
    /// <param name="killsLeft">Kills to come, this one included.</param>
    public Kill Next(long stepsLeft, int killsLeft)
    {
        var kind = _random.NextDouble();
        var share = (double)stepsLeft / (killsLeft + 1);
        var moment = _random.NextDouble();
        var jitter = 2 * step * _random.NextDouble();
        return kind switch
        {
            < 0.15 => new Kill(0, startup * moment, null),
            < 0.35 => new Kill(1 + (long)(share * moment), jitter, s_longestGrace * _random.NextDouble()),
            _ => new Kill(1 + (long)(2 * share * moment), jitter, null),
        };
    }
}
