namespace Streaming.Actors;

/// <summary>
/// Looks for a loss or a gradient norm far above those of the last steps. A spike is so many standard deviations above the mean of a
/// full window, and besides well above everything in it: text of another kind moves a loss by some tenths of a nat, a model that
/// breaks moves it by whole ones. Norms are compared by their logarithms, being as skewed as they are.
/// </summary>
/// <param name="threshold">Standard deviations; 0 finds nothing.</param>
/// <param name="window">Steps.</param>
internal sealed class SpikeDetector(double threshold, int window)
{
    /// <summary>Nats above the highest loss of the window, at least.</summary>
    public const double LeastLossRise = 1.0;

    /// <summary>Times the highest norm of the window, at least.</summary>
    public const double LeastNormRatio = 10;

    private readonly Queue<float> _losses = new();
    private readonly Queue<float> _norms = new();

    /// <summary>The last steps' losses, oldest first: what a checkpoint keeps.</summary>
    public IReadOnlyList<float> Losses => [.. _losses];

    /// <inheritdoc cref="Losses"/>
    public IReadOnlyList<float> Norms => [.. _norms];

    /// <returns>What is spiking, for people; null where nothing is.</returns>
    public string? Find(float loss, float norm)
    {
        if (threshold <= 0)
            return null;
        if (_losses.Count >= window && Score(loss, _losses, value => value) is var score && score >= threshold && loss >= _losses.Max() + LeastLossRise)
            return FormattableString.Invariant($"the loss is {loss:0.0000}, {score:0.0} standard deviations above the {_losses.Average():0.0000} of the last {_losses.Count} steps");
        if (_norms.Count >= window && float.IsFinite(norm) && Score(norm, _norms, Logarithm) is var ratio && ratio >= threshold && norm >= LeastNormRatio * _norms.Max())
            return FormattableString.Invariant($"the gradient's norm is {norm:0.00}, {ratio:0.0} standard deviations above the {_norms.Average():0.00} of the last {_norms.Count} steps");
        return null;
    }

    public void Add(float loss, float norm)
    {
        Keep(_losses, loss);
        if (float.IsFinite(norm))
            Keep(_norms, norm);
    }

    private void Keep(Queue<float> values, float value)
    {
        if (values.Count == window)
            values.Dequeue();
        values.Enqueue(value);
    }

    private static double Logarithm(double value) => Math.Log(Math.Max(value, 1e-12));

    private static double Score(float value, IEnumerable<float> past, Func<double, double> scale)
    {
        var values = past.Select(one => scale(one)).ToList();
        var mean = values.Average();
        var deviation = Math.Sqrt(values.Average(one => (one - mean) * (one - mean)));
        return (scale(value) - mean) / Math.Max(deviation, 1e-6);
    }
}
