namespace Streaming.Streams.Mixing;

/// <summary>
/// Chooses the source of each block, so that from the moment the counting began every source has its share of the blocks, by
/// weight, to less than one block at any time: among the sources that lag enough, the one whose next block is due first
/// (Tijdeman, The chairman assignment problem, 1980, whose bound is 1 - 1/(2n - 2) for n sources). So over a window that
/// begins elsewhere it is less than two blocks, and at most one where there are two sources. Ties go by order.
/// </summary>
/// <param name="weights">More than 0 each.</param>
/// <param name="taken">Blocks of each source since the counting began.</param>
/// <param name="left">Which sources have left.</param>
internal sealed class Mixer(IReadOnlyList<double> weights, IEnumerable<long> taken, IEnumerable<bool> left)
{
    private readonly long[] _taken = [.. taken];
    private readonly bool[] _left = [.. left];

    /// <summary>Blocks of a source since the counting began.</summary>
    public long Taken(int source) => _taken[source];

    /// <summary>Whether a source has left.</summary>
    public bool HasLeft(int source) => _left[source];

    /// <summary>The source of the next block; null where all have left.</summary>
    public int? Next()
    {
        var (sources, weight, blocks) = (0, 0.0, 1L);
        for (var source = 0; source < weights.Count; source++)
        {
            if (_left[source])
                continue;
            sources++;
            weight += weights[source];
            blocks += _taken[source];
        }
        if (sources == 0)
            return null;

        // In exact arithmetic one lags by the slack at least; rounding must not leave none.
        var slack = sources > 1 ? 1.0 / (2 * sources - 2) : 0;
        var greatest = double.NegativeInfinity;
        for (var source = 0; source < weights.Count; source++)
        {
            if (!_left[source])
                greatest = Math.Max(greatest, Lag(source));
        }
        var (chosen, earliest) = (-1, double.PositiveInfinity);
        for (var source = 0; source < weights.Count; source++)
        {
            var due = (1 - slack + _taken[source]) / weights[source];
            if (!_left[source] && Lag(source) >= Math.Min(slack, greatest) && due < earliest)
                (chosen, earliest) = (source, due);
        }
        return chosen;

        double Lag(int source) => weights[source] / weight * blocks - _taken[source];
    }

    /// <summary>Counts a block.</summary>
    public void Take(int source) => _taken[source]++;

    /// <summary>A source has no more text: the counting begins anew among the rest.</summary>
    public void Leave(int source)
    {
        _left[source] = true;
        Array.Clear(_taken);
    }
}
