namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// Turns expected counts into the next model's scores: log probabilities under a Dirichlet prior that favours few pieces
/// (variational Bayes; Liang and Klein 2007, "Structured Bayesian nonparametric models with variational inference").
/// </summary>
internal static class Maximization
{
    /// <summary>Pieces that are expected less often than this go.</summary>
    public const double LeastExpected = 0.5;

    /// <summary>Sets the scores; lets rare pieces go, characters excepted, which count as if expected so often.</summary>
    /// <param name="pieces">Changed.</param>
    /// <param name="expected">A number a piece.</param>
    /// <param name="workers">Threads.</param>
    public static void Run(PieceSet pieces, double[] expected, int workers)
    {
        var stays = new bool[pieces.Count];
        var sum = 0.0;
        for (var piece = 0; piece < pieces.Count; piece++)
        {
            stays[piece] = piece < pieces.CharacterCount || expected[piece] >= LeastExpected;
            if (stays[piece])
                sum += Math.Max(expected[piece], LeastExpected);
        }
        var total = Digamma(sum);
        for (var piece = 0; piece < pieces.Count; piece++)
        {
            if (stays[piece])
                pieces.Scores[piece] = Digamma(Math.Max(expected[piece], LeastExpected)) - total;
        }
        pieces.Keep(stays, workers);
    }

    /// <summary>The logarithmic derivative of the gamma function, for positive numbers, to about 1e-12.</summary>
    internal static double Digamma(double x)
    {
        // ψ(x) = ψ(x + 1) - 1 / x, up to where the asymptotic series (Abramowitz and Stegun, 6.3.18) is exact enough.
        var result = 0.0;
        for (; x < 10; x++)
            result -= 1 / x;
        var y = 1 / (x * x);
        return result + Math.Log(x) - 0.5 / x - y * (1 / 12.0 - y * (1 / 120.0 - y * (1 / 252.0 - y * (1 / 240.0 - y * (1 / 132.0)))));
    }
}
