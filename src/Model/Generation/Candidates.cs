namespace Streaming.Model.Generation;

// Shapes: V vocabulary.

/// <summary>
/// The tokens among which one is drawn: what temperature, top-k, top-p and min-p leave of a vocabulary, in Transformers'
/// order and with its edges. Scratch memory for one thread.
/// </summary>
internal sealed class Candidates(int vocabularySize)
{
    // Below so many, sorting all costs less than finding out which need it.
    private const int Few = 256;

    private const int Block = 512; // tokens whose weights are summed at a time

    // Nats below the highest score, in which the likeliest tokens are looked for; exp(-20) is 2e-9.
    private static readonly float[] Depths = [3, 6, 10, 20];

    private readonly int[] _ids = new int[vocabularySize];
    private readonly float[] _scores = new float[vocabularySize];
    private readonly float[] _weights = new float[vocabularySize];

    /// <summary>Tokens that are left.</summary>
    public int Count { get; private set; }

    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count);

    /// <summary>Their scores after temperature, unnormalised, in no order.</summary>
    public ReadOnlySpan<float> Scores => _scores.AsSpan(0, Count);

    /// <summary>Keeps what may be drawn of <paramref name="scores"/> (V).</summary>
    public void Select(ReadOnlySpan<float> scores, GenerationOptions options)
    {
        Take(scores, options);
        if (options.Temperature != 1)
            Probabilities.Scale(_scores.AsSpan(0, Count), (float)(1 / options.Temperature));
        if (options.TopP < 1)
            KeepNucleus(options.TopP, options.MinimumKept);
        if (options.MinP > 0)
            KeepProbable(options.MinP, options.MinimumKept);
    }

    /// <summary>Draws one.</summary>
    /// <param name="uniform">A number from 0 to below 1.</param>
    public int Draw(double uniform)
    {
        if (Count == 0)
            return 0; // everything is forbidden
        var weights = _weights.AsSpan(0, Count);
        var drawn = uniform * Probabilities.Weigh(Scores, Probabilities.Max(Scores), weights);
        var from = 0;
        while (from + Block < Count)
        {
            var block = Probabilities.Sum(weights.Slice(from, Block));
            if (drawn < block)
                break;
            (drawn, from) = (drawn - block, from + Block);
        }
        var last = weights[..from].LastIndexOfAnyExcept(0f); // where rounding leaves nothing behind it
        for (var i = from; i < Count; i++)
        {
            if (weights[i] == 0)
                continue;
            last = i;
            drawn -= weights[i];
            if (drawn < 0)
                break;
        }
        return _ids[Math.Max(last, 0)];
    }

    /// <summary>All tokens that are not forbidden, or those that score no less than the k-th.</summary>
    private void Take(ReadOnlySpan<float> scores, GenerationOptions options)
    {
        var bound = float.MinValue; // forbidden is below it
        var most = Math.Max(options.TopK, options.MinimumKept);
        if (options.TopK > 0 && most < scores.Length)
        {
            // One more than wanted tells whether others score as the last: mostly none does, and the scores need not be read again.
            var found = Probabilities.Highest(scores, _ids.AsSpan(0, most + 1), _scores.AsSpan(0, most + 1));
            if (found <= most || _scores[most] < _scores[most - 1])
            {
                Count = Math.Min(found, most);
                _ids.AsSpan(0, Count).Sort(_scores.AsSpan(0, Count));
                return;
            }
            bound = _scores[most - 1];
        }
        Count = Probabilities.AtLeast(scores, bound, _ids, _scores);
    }

    /// <summary>Drops the least probable tokens as long as what is dropped stays within <c>1 - p</c>.</summary>
    private void KeepNucleus(double p, int minimum)
    {
        var highest = Probabilities.Max(Scores);
        var total = Probabilities.Weigh(Scores, highest, _weights);
        var dropped = Count > Few ? DropTail(highest, p * total, total, minimum) : 0;
        Sort();
        var kept = Count;
        while (kept > minimum)
        {
            dropped += Math.Exp(_scores[kept - 1] - highest);
            if (dropped > (1 - p) * total)
                break;
            kept--;
        }
        Count = kept;
    }

    /// <summary>Drops tokens far below the highest score, without sorting them, where those above make up the mass.</summary>
    /// <returns>The weight of what was dropped.</returns>
    private double DropTail(float highest, double mass, double total, int minimum)
    {
        foreach (var depth in Depths)
        {
            var near = Probabilities.SumAtLeast(Scores, _weights, highest - depth, out var count);
            if (near < mass || count < minimum)
                continue;
            KeepFrom(highest - depth);
            return total - near;
        }
        return 0;
    }

    private void KeepProbable(double share, int minimum)
    {
        var bound = Probabilities.Max(Scores) + (float)Math.Log(share);
        var kept = 0;
        foreach (var score in Scores)
            kept += score >= bound ? 1 : 0;
        if (kept >= minimum)
        {
            KeepFrom(bound);
            return;
        }
        Sort();
        Count = Math.Min(minimum, Count);
    }

    private void KeepFrom(float bound)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (_scores[i] >= bound)
                (_ids[kept], _scores[kept++]) = (_ids[i], _scores[i]);
        }
        Count = kept;
    }

    /// <summary>Highest first.</summary>
    private void Sort()
    {
        var scores = _scores.AsSpan(0, Count);
        scores.Sort(_ids.AsSpan(0, Count));
        scores.Reverse();
        _ids.AsSpan(0, Count).Reverse();
    }
}
