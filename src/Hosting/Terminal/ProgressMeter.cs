using Streaming.Actors;

namespace Streaming.Hosting.Terminal;

/// <summary>What a line of progress is made of, over the steps since the last line.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="MaxSteps">Steps of the run.</param>
/// <param name="Loss">Mean training loss.</param>
/// <param name="GradientNorm">Of the last step.</param>
/// <param name="LearningRate">Of the last step.</param>
/// <param name="TokensPerSecond">Tokens over the steps' wall time.</param>
/// <param name="Left">Estimate for the remaining steps.</param>
internal readonly record struct Progress(long Step, long MaxSteps, double Loss, double GradientNorm, double LearningRate, double TokensPerSecond, TimeSpan Left)
{
    /// <summary>The fields of the line, the most important first: what does not fit is left out from the end.</summary>
    public string[] Fields =>
    [
        $"step {Step}/{MaxSteps}",
        $"loss {Quantity.Fixed(Loss)}",
        $"lr {Quantity.Rate(LearningRate)}",
        $"{Quantity.Count(TokensPerSecond)} tokens/s",
        $"{Quantity.Time(Left)} left",
        $"gradient norm {GradientNorm.ToString("0.00", System.Globalization.CultureInfo.InvariantCulture)}",
    ];
}

/// <summary>Averages steps into progress. Not thread-safe.</summary>
/// <param name="window">Steps that the live line averages over.</param>
internal sealed class ProgressMeter(int window)
{
    private const double Recent = 0.05; // weight of the newest step in the estimate of a step's time

    private readonly Queue<TrainerProtocol.StepCompleted> _latest = new();
    private double _stepSeconds = double.NaN;

    public long MaxSteps { get; set; }

    /// <summary>There is something to read.</summary>
    public bool HasSteps => _latest.Count > 0;

    /// <summary>What a step takes lately; not a number before the first.</summary>
    public double StepSeconds => _stepSeconds;

    /// <summary>Share of the window's time that was spent waiting for text.</summary>
    public double DataWaitRatio => _latest.Sum(s => s.DataWait.TotalSeconds) / Math.Max(_latest.Sum(s => s.Elapsed.TotalSeconds), 1e-9);

    public void Add(TrainerProtocol.StepCompleted step)
    {
        if (_latest.Count >= window)
            _latest.Dequeue();
        _latest.Enqueue(step);
        var seconds = step.Elapsed.TotalSeconds;
        _stepSeconds = double.IsNaN(_stepSeconds) ? seconds : _stepSeconds + Recent * (seconds - _stepSeconds);
    }

    /// <summary>Forgets the steps so far: a rollback repeats them.</summary>
    public void Reset() => _latest.Clear();

    /// <summary>Progress over the window; at least one step must have been added.</summary>
    public Progress Read()
    {
        var last = _latest.Last();
        var seconds = _latest.Sum(s => s.Elapsed.TotalSeconds);
        var left = Math.Min(Math.Max(0, MaxSteps - last.Step) * _stepSeconds, TimeSpan.MaxValue.TotalSeconds / 2);
        return new Progress(
            last.Step, MaxSteps, _latest.Average(s => (double)s.Loss), last.GradientNorm, last.LearningRate,
            _latest.Sum(s => s.Tokens) / Math.Max(seconds, 1e-9), TimeSpan.FromSeconds(left));
    }
}
