namespace Streaming.Streams.TokenizerTraining;

/// <summary>A piece as the inner loops read it.</summary>
/// <param name="Weight">Probability or log probability.</param>
/// <param name="Shorter">The next shorter piece with the same beginning, or negative.</param>
/// <param name="Length">Codes.</param>
internal readonly record struct Link(double Weight, int Shorter, int Length);

/// <summary>
/// Sums over all segmentations of a run, and the best one. Scratch is reused; not thread-safe.
/// Shapes: n codes in a run, n + 1 places between them.
/// </summary>
internal sealed class Lattice
{
    // Below this, a probability is too close to the smallest number for what is multiplied with it.
    private const double SmallestTotal = 1e-200;

    private double[] _forward = [];
    private double[] _backward = [];
    private int[] _last = []; // piece that the best segmentation up to a place ends with
    private int[] _path = [];

    /// <summary>Links of all pieces.</summary>
    /// <param name="pieces">The pieces.</param>
    /// <param name="logarithms">Weights are log probabilities.</param>
    public static Link[] LinksOf(PieceSet pieces, bool logarithms)
    {
        var links = new Link[pieces.Count];
        for (var piece = 0; piece < links.Length; piece++)
            links[piece] = new Link(logarithms ? pieces.Scores[piece] : Math.Exp(pieces.Scores[piece]), pieces.Shorter[piece], pieces.Lengths[piece]);
        return links;
    }

    /// <summary>
    /// Adds how often each piece is expected in a run to <paramref name="expected"/>, in units of 1 / <paramref name="scale"/>.
    /// </summary>
    /// <param name="links">With probabilities.</param>
    /// <param name="longest">The longest piece at each code of the run. (n)</param>
    /// <param name="scale">What one occurrence counts, times how often the run occurs.</param>
    /// <param name="expected">A number a piece.</param>
    /// <returns>Log probability of the run.</returns>
    public double AddExpected(ReadOnlySpan<Link> links, ReadOnlySpan<int> longest, double scale, long[] expected)
    {
        var n = longest.Length;
        Reserve(n);
        var forward = _forward.AsSpan(0, n + 1);
        forward.Clear();
        forward[0] = 1;
        for (var place = 0; place < n; place++)
        {
            var before = forward[place];
            for (var piece = longest[place]; piece >= 0;)
            {
                ref readonly var link = ref links[piece];
                forward[place + link.Length] += before * link.Weight;
                piece = link.Shorter;
            }
        }
        if (!(forward[n] > SmallestTotal))
            return AddExpectedOfLongRun(links, longest, scale, expected);
        var backward = _backward.AsSpan(0, n + 1);
        backward[n] = 1;
        scale /= forward[n];
        for (var place = n - 1; place >= 0; place--)
        {
            var before = forward[place] * scale;
            var sum = 0.0;
            for (var piece = longest[place]; piece >= 0;)
            {
                ref readonly var link = ref links[piece];
                var after = link.Weight * backward[place + link.Length];
                sum += after;
                expected[piece] += (long)(before * after + 0.5);
                piece = link.Shorter;
            }
            backward[place] = sum;
        }
        return Math.Log(forward[n]);
    }

    // The same in logarithms, which a run of hundreds of characters needs.
    private double AddExpectedOfLongRun(ReadOnlySpan<Link> links, ReadOnlySpan<int> longest, double scale, long[] expected)
    {
        var n = longest.Length;
        var forward = _forward.AsSpan(0, n + 1);
        var backward = _backward.AsSpan(0, n + 1);
        forward.Fill(double.NegativeInfinity);
        forward[0] = 0;
        for (var place = 0; place < n; place++)
        {
            for (var piece = longest[place]; piece >= 0; piece = links[piece].Shorter)
            {
                ref var sum = ref forward[place + links[piece].Length];
                sum = AddLogarithms(sum, forward[place] + Math.Log(links[piece].Weight));
            }
        }
        backward[n] = 0;
        for (var place = n - 1; place >= 0; place--)
        {
            backward[place] = double.NegativeInfinity;
            for (var piece = longest[place]; piece >= 0; piece = links[piece].Shorter)
            {
                var after = Math.Log(links[piece].Weight) + backward[place + links[piece].Length];
                backward[place] = AddLogarithms(backward[place], after);
                expected[piece] += (long)(Math.Exp(forward[place] + after - forward[n]) * scale + 0.5);
            }
        }
        return forward[n];
    }

    /// <summary>The most probable segmentation; of equals, the one whose last piece is the longest.</summary>
    /// <param name="links">With log probabilities.</param>
    /// <param name="longest">The longest piece at each code; it may reach beyond the run, and then counts for nothing. (n)</param>
    /// <param name="without">This piece is not used; negative uses all.</param>
    /// <param name="score">Its log probability; negative infinity where there is none.</param>
    /// <returns>Its pieces, the last one first; valid until the next call.</returns>
    public ReadOnlySpan<int> FindBest(ReadOnlySpan<Link> links, ReadOnlySpan<int> longest, int without, out double score)
    {
        var n = longest.Length;
        Reserve(n);
        var best = _forward.AsSpan(0, n + 1);
        var last = _last.AsSpan(0, n + 1);
        best.Fill(double.NegativeInfinity);
        best[0] = 0;
        for (var place = 0; place < n; place++)
        {
            var before = best[place];
            for (var piece = longest[place]; piece >= 0;)
            {
                ref readonly var link = ref links[piece];
                var end = place + link.Length;
                if (end <= n && before + link.Weight > best[end] && piece != without)
                {
                    best[end] = before + link.Weight;
                    last[end] = piece;
                }
                piece = link.Shorter;
            }
        }
        score = best[n];
        if (double.IsNegativeInfinity(score))
            return [];
        var count = 0;
        for (var end = n; end > 0;)
        {
            var piece = last[end];
            end -= links[piece].Length;
            _path[count++] = piece;
        }
        return _path.AsSpan(0, count);
    }

    private void Reserve(int codes)
    {
        if (_forward.Length > codes)
            return;
        var size = Math.Max(codes + 1, 2 * _forward.Length);
        _forward = new double[size];
        _backward = new double[size];
        _last = new int[size];
        _path = new int[size];
    }

    private static double AddLogarithms(double one, double other)
    {
        var (large, small) = one > other ? (one, other) : (other, one);
        return double.IsNegativeInfinity(small) ? large : large + Math.Log(1 + Math.Exp(small - large));
    }
}
