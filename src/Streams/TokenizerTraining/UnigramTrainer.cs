using Streaming.Streams.Tokenization;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// Trains a unigram model: expectation maximisation over all segmentations, from many substrings down to the vocabulary
/// (Kudo 2018, "Subword Regularization"). The steps and their constants are those of SentencePiece's trainer, so a model
/// of the same text is as good; see docs/tokenizer.md for how they compare. Deterministic: the same text, options and seed
/// give the same model for any number of workers.
/// </summary>
internal sealed class UnigramTrainer(TokenizerTrainingOptions options, IProgress<TrainingProgress>? progress, CancellationToken stop)
{
    // Training ends a little above the vocabulary, and the least probable pieces go last.
    private const double Surplus = 1.1;

    /// <summary>The pieces of the model besides the special ones and the bytes: most probable first.</summary>
    /// <param name="runs">The text, not empty.</param>
    /// <param name="wanted">How many; at least as many as characters.</param>
    /// <returns>Fewer than wanted where the text does not hold as many.</returns>
    public List<Piece> Train(TextRuns runs, int wanted)
    {
        progress?.Report(new("seeds", 0, 0, 0));
        var seeds = SeedPieces.Find(runs, options.MaxPieceLength, options.SeedPieces, options.Workers, stop);
        var pieces = new PieceSet(runs, seeds, options.Workers, stop);
        var enough = (int)(Surplus * options.VocabularySize);
        for (var round = 1; ; round++)
        {
            var logLikelihood = 0.0;
            for (var iteration = 0; iteration < options.SubIterations; iteration++)
            {
                var expected = Expectation.Count(pieces, options.Workers, stop, out logLikelihood);
                Maximization.Run(pieces, expected, options.Workers);
                progress?.Report(new("EM", round, pieces.Count, logLikelihood / runs.Alphabet.Covered));
            }
            if (pieces.Count <= enough)
                return Select(pieces, wanted);
            Pruning.Run(pieces, Math.Max(enough, (int)(options.ShrinkingFactor * pieces.Count)), options.Workers, stop);
        }
    }

    // All characters and the most probable other pieces. Equals, which rare characters are, keep the alphabet's order by a
    // score that falls a little.
    private static List<Piece> Select(PieceSet pieces, int wanted)
    {
        var chosen = Enumerable.Range(0, pieces.Count)
            .OrderByDescending(piece => piece < pieces.CharacterCount)
            .ThenByDescending(piece => pieces.Scores[piece])
            .ThenBy(piece => piece)
            .Take(wanted)
            .OrderByDescending(piece => pieces.Scores[piece])
            .ThenBy(piece => piece);
        return [.. chosen.Select(piece => new Piece(pieces.TextOf(piece), (float)pieces.Scores[piece], PieceType.Normal))];
    }
}
