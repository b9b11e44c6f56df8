using System.Numerics;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// The passes over the whole text. Counts are summed as integers (expected ones in small units), which sum to the same in any
/// order, so the results do not depend on the number of threads.
/// </summary>
internal static class Expectation
{
    /// <summary>How often each piece is expected in the text, over all segmentations by their probability.</summary>
    /// <param name="pieces">The model.</param>
    /// <param name="workers">Threads.</param>
    /// <param name="stop">Ends the work.</param>
    /// <param name="logLikelihood">Log probability of the text.</param>
    public static double[] Count(PieceSet pieces, int workers, CancellationToken stop, out double logLikelihood)
    {
        var runs = pieces.Runs;
        var links = Lattice.LinksOf(pieces, logarithms: false);
        // A sum is at most the characters of the text; the smallest unit is 2^-32 of an occurrence where they allow it.
        var unit = (double)(1L << Math.Min(32, 61 - BitOperations.Log2((ulong)runs.Alphabet.Total + 1)));
        var blocks = Blocks.Of(runs.Count);
        var logLikelihoods = new double[blocks.Count];
        var sums = new long[pieces.Count];
        blocks.ForEach(
            workers, stop,
            () => (Lattice: new Lattice(), Counts: new long[pieces.Count]),
            (block, local) =>
            {
                var sum = 0.0;
                for (var run = block.Start; run < block.Start + block.Length; run++)
                {
                    var longest = pieces.Longest.Slice(runs.StartOf(run), runs.LengthOf(run));
                    sum += runs.CountOf(run) * local.Lattice.AddExpected(links, longest, runs.CountOf(run) * unit, local.Counts);
                }
                logLikelihoods[block.Index] = sum;
            },
            local => Add(local.Counts, sums));
        logLikelihood = logLikelihoods.Sum();
        return Array.ConvertAll(sums, sum => sum / unit);
    }

    /// <summary>How often each piece is in the text where each run is segmented in its most probable way.</summary>
    /// <inheritdoc cref="Count"/>
    public static long[] CountBest(PieceSet pieces, int workers, CancellationToken stop)
    {
        var runs = pieces.Runs;
        var links = Lattice.LinksOf(pieces, logarithms: true);
        var sums = new long[pieces.Count];
        Blocks.Of(runs.Count).ForEach(
            workers, stop,
            () => (Lattice: new Lattice(), Counts: new long[pieces.Count]),
            (block, local) =>
            {
                for (var run = block.Start; run < block.Start + block.Length; run++)
                {
                    var longest = pieces.Longest.Slice(runs.StartOf(run), runs.LengthOf(run));
                    foreach (var piece in local.Lattice.FindBest(links, longest, PieceSet.None, out _))
                        local.Counts[piece] += runs.CountOf(run);
                }
            },
            local => Add(local.Counts, sums));
        return sums;
    }

    private static void Add(long[] counts, long[] sums)
    {
        for (var piece = 0; piece < sums.Length; piece++)
            sums[piece] += counts[piece];
    }
}
