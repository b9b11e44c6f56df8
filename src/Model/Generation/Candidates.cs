namespace Streaming.Model.Generation;

// Shapes: V vocabulary.

/// <summary>
/// The tokens among which one is drawn: what temperature, top-k, top-p and min-p leave of a vocabulary, in Transformers'
/// order and with its edges. Scratch memory for one thread.
/// </summary>
internal sealed class Candidates(int vocabularySize)
{
    // exp(-20) is 2e-9: what lies further below the highest score is summed without being sorted.
    private const float NearestTail = 20;

    private readonly int[] _ids = new int[vocabularySize];
    private readonly float[] _scores = new float[vocabularySize];

    /// <summary>Tokens that are left.</summary>
    public int Count { get; private set; }

    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count);

    /// <summary>Their scores after temperature, unnormalised, in no order.</summary>
    public ReadOnlySpan<float> Scores => _scores.AsSpan(0, Count);

    /// <summary>Keeps what may be drawn of <paramref name="scores"/> (V).</summary>
    public void Select(ReadOnlySpan<float> scores, GenerationOptions options)
    {
        Take(scores, options);
        var scale = (float)(1 / options.Temperature);
        for (var i = 0; i < Count; i++)
            _scores[i] *= scale;
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
        var highest = Probabilities.Max(Scores);
        double total = 0;
        foreach (var score in Scores)
            total += Math.Exp(score - highest);
        var drawn = uniform * total;
        var last = 0;
        for (var i = 0; i < Count; i++)
        {
            var weight = Math.Exp(_scores[i] - highest);
            if (weight == 0)
                continue;
            last = i;
            drawn -= weight;
            if (drawn < 0)
                break;
        }
        return _ids[last];
    }

    /// <summary>All tokens that are not forbidden, or those that score no less than the k-th.</summary>
    private void Take(ReadOnlySpan<float> scores, GenerationOptions options)
    {
        var bound = float.NegativeInfinity;
        var strict = true;
        if (options.TopK > 0 && Math.Max(options.TopK, options.MinimumKept) < scores.Length)
        {
            var most = Math.Max(options.TopK, options.MinimumKept);
            if (Probabilities.Highest(scores, _ids.AsSpan(0, most), _scores.AsSpan(0, most)) == most)
                (bound, strict) = (_scores[most - 1], false);
        }
        Count = 0;
        for (var id = 0; id < scores.Length; id++)
        {
            if (strict ? scores[id] > bound : scores[id] >= bound)
                (_ids[Count], _scores[Count++]) = (id, scores[id]);
        }
    }

    /// <summary>Drops the least probable tokens as long as what is dropped stays within <c>1 - p</c>.</summary>
    private void KeepNucleus(double p, int minimum)
    {
        var highest = Probabilities.Max(Scores);
        double total = 0, tail = 0;
        var near = 0;
        for (var i = 0; i < Count; i++)
        {
            var weight = Math.Exp(_scores[i] - highest);
            total += weight;
            if (_scores[i] < highest - NearestTail)
                tail += weight;
            else
                near++;
        }
        if (tail > (1 - p) * total || near < minimum)
            tail = 0; // all must be sorted
        else
            KeepFrom(highest - NearestTail);
        Sort();
        var dropped = tail;
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
