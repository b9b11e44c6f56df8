using Streaming.Model.Parameters;

namespace Streaming.Model.Generation;

/// <summary>Draws a token from logits: softmax with temperature over the most probable ones.</summary>
internal sealed class TokenSampler(int vocabularySize, SamplingOptions options)
{
    private readonly GaussianGenerator _random = new((uint)options.Seed);
    private readonly int[] _order = new int[vocabularySize];
    private readonly float[] _sorted = new float[vocabularySize];

    /// <param name="logits">One a token of the vocabulary.</param>
    public int Next(ReadOnlySpan<float> logits)
    {
        if (options.Temperature <= 0 || options.TopK == 1)
            return ArgMax(logits);
        for (var i = 0; i < logits.Length; i++)
            (_order[i], _sorted[i]) = (i, -logits[i]);
        Array.Sort(_sorted, _order); // ascending, so the most probable first
        var candidates = options.TopK > 0 ? Math.Min(options.TopK, logits.Length) : logits.Length;
        double total = 0;
        for (var i = 0; i < candidates; i++)
            total += Weight(i);
        var drawn = _random.NextUniform() * total;
        for (var i = 0; i < candidates - 1; i++)
        {
            drawn -= Weight(i);
            if (drawn < 0)
                return _order[i];
        }
        return _order[candidates - 1];
    }

    /// <summary>Unnormalised probability of the candidate at a rank, 1 for the first.</summary>
    private double Weight(int rank) => Math.Exp((_sorted[0] - (double)_sorted[rank]) / options.Temperature);

    private static int ArgMax(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
                best = i;
        }
        return best;
    }
}
