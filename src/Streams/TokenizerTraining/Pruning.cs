namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// Lets go of the pieces that the text misses least. What a piece is worth is how much less probable the text's best
/// segmentation becomes where the piece's own best segmentation by others takes its place (Kudo 2018, section 3.2).
/// </summary>
internal static class Pruning
{
    /// <summary>Leaves at most <paramref name="remaining"/> pieces: all characters, then those worth most.</summary>
    public static void Run(PieceSet pieces, int remaining, int workers, CancellationToken stop)
    {
        var frequencies = Expectation.CountBest(pieces, workers, stop);
        var worths = FindWorths(pieces, frequencies, workers, stop);
        var candidates = new List<int>();
        for (var piece = pieces.CharacterCount; piece < pieces.Count; piece++)
        {
            if (!double.IsNaN(worths[piece]))
                candidates.Add(piece);
        }
        candidates.Sort((one, other) => worths[one] != worths[other] ? worths[other].CompareTo(worths[one]) : one.CompareTo(other));
        var stays = new bool[pieces.Count];
        stays.AsSpan(0, pieces.CharacterCount).Fill(true);
        foreach (var piece in candidates.Take(remaining - pieces.CharacterCount))
            stays[piece] = true;
        pieces.Keep(stays, workers);
    }

    // NaN for a piece that no best segmentation has: of the text, or even of the piece itself.
    private static double[] FindWorths(PieceSet pieces, long[] frequencies, int workers, CancellationToken stop)
    {
        var links = Lattice.LinksOf(pieces, logarithms: true);
        var worths = new double[pieces.Count];
        double sum = frequencies.Sum();
        var logSum = Math.Log(sum);
        Blocks.Of(pieces.Count).ForEach(
            workers, stop,
            () => new Lattice(),
            (block, lattice) =>
            {
                for (var piece = Math.Max(block.Start, pieces.CharacterCount); piece < block.Start + block.Length; piece++)
                {
                    worths[piece] = double.NaN;
                    double frequency = frequencies[piece];
                    if (frequency == 0)
                        continue;
                    var longest = pieces.Longest.Slice(pieces.Starts[piece], pieces.Lengths[piece]);
                    var others = lattice.FindBest(links, longest, piece, out var score);
                    if (score > pieces.Scores[piece])
                        continue;
                    var logSumWithout = Math.Log(sum + frequency * (others.Length - 1));
                    var logWithout = 0.0;
                    foreach (var other in others)
                        logWithout += Math.Log(frequencies[other] + frequency) - logSumWithout;
                    worths[piece] = frequency * (Math.Log(frequency) - logSum - logWithout);
                }
            },
            _ => { });
        return worths;
    }
}
