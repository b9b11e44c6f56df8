using CsCheck;
using Streaming.Streams.TokenizerTraining;

namespace Streaming.Streams.Tests.TokenizerTraining;

public sealed class ExpectationSpec
{
    [Fact]
    public void Expected_counts_and_likelihood_are_those_of_all_segmentations_one_by_one()
    {
        Gen.String[Gen.Char["abc"], 1, 9].Array[1, 6].Sample(sentences =>
        {
            var pieces = PiecesOf(sentences);
            var expected = new double[pieces.Count];
            var logLikelihood = 0.0;
            foreach (var sentence in sentences)
            {
                var all = Segmentations(pieces, sentence, 0).Select(path => (Path: path, Probability: Math.Exp(path.Sum(piece => pieces.Scores[piece])))).ToList();
                var total = all.Sum(segmentation => segmentation.Probability);
                logLikelihood += Math.Log(total);
                foreach (var (path, probability) in all)
                {
                    foreach (var piece in path)
                        expected[piece] += probability / total;
                }
            }
            var counts = Expectation.Count(pieces, workers: 2, CancellationToken.None, out var sum);
            Assert.Equal(logLikelihood, sum, tolerance: 1e-9 * Math.Abs(logLikelihood) + 1e-12);
            // sums are kept in units of 2^-32 or so, one rounding each place
            Assert.All(counts.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, tolerance: 1e-7));
        }, iter: 200);
    }

    [Fact]
    public void A_run_too_long_for_plain_probabilities_is_counted_in_logarithms()
    {
        var random = new Random(1);
        var sentence = string.Concat(Enumerable.Range(0, 2_000).Select(_ => (char)('a' + random.Next(20))));
        var pieces = PiecesOf([sentence]);
        var sums = new double[sentence.Length + 1]; // log probability of all segmentations up to a place
        for (var end = 1; end < sums.Length; end++)
        {
            var terms = Enumerable.Range(0, pieces.Count)
                .Where(piece => pieces.Lengths[piece] <= end && sentence.AsSpan(0, end).EndsWith(pieces.TextOf(piece)))
                .Select(piece => sums[end - pieces.Lengths[piece]] + pieces.Scores[piece]).ToList();
            sums[end] = terms.Max() + Math.Log(terms.Sum(term => Math.Exp(term - terms.Max())));
        }
        Assert.True(sums[^1] < -745, "the run is meant to be less probable than the smallest number");

        var counts = Expectation.Count(pieces, workers: 1, CancellationToken.None, out var logLikelihood);
        Assert.Equal(sums[^1], logLikelihood, tolerance: 1e-9 * Math.Abs(sums[^1]));
        Assert.Equal(sentence.Length, counts.Select((count, piece) => count * pieces.Lengths[piece]).Sum(), tolerance: 1e-3);
    }

    [Fact]
    public void The_best_segmentation_is_the_most_probable_of_all()
    {
        Gen.String[Gen.Char["abc"], 1, 9].Array[1, 4].Sample(sentences =>
        {
            var pieces = PiecesOf(sentences);
            var best = sentences.Sum(sentence => Segmentations(pieces, sentence, 0).Max(path => path.Sum(piece => pieces.Scores[piece])));
            var counts = Expectation.CountBest(pieces, workers: 2, CancellationToken.None);
            Assert.Equal(best, counts.Select((count, piece) => count * pieces.Scores[piece]).Sum(), tolerance: 1e-9 * Math.Abs(best) + 1e-12);
        }, iter: 200);
    }

    [Fact]
    public void What_stays_after_pruning_is_found_at_every_place()
    {
        Gen.Select(Gen.String[Gen.Char["ab"], 2, 20].Array[1, 4], Gen.Int[0, 1 << 20]).Sample((sentences, choice) =>
        {
            var pieces = PiecesOf(sentences);
            var random = new Random(choice);
            var stays = Enumerable.Range(0, pieces.Count).Select(piece => piece < pieces.CharacterCount || random.Next(2) == 0).ToArray();
            var texts = Enumerable.Range(0, pieces.Count).Where(piece => stays[piece]).Select(pieces.TextOf).ToHashSet();
            pieces.Keep(stays, workers: 1);
            Assert.Equal(texts, Enumerable.Range(0, pieces.Count).Select(pieces.TextOf).ToHashSet());
            foreach (var sentence in sentences)
                Assert.Equal(Starting(texts, sentence), Found(sentence, pieces));
        }, iter: 200);

        static IEnumerable<string> Starting(HashSet<string> texts, string sentence) =>
            Enumerable.Range(0, sentence.Length).SelectMany(place => texts.Where(sentence[place..].StartsWith).OrderByDescending(text => text.Length));
    }

    [Theory]
    [InlineData(0.5, -1.9635100260214235)]
    [InlineData(1, -0.5772156649015329)]
    [InlineData(3.7, 1.16715353936151)]
    [InlineData(100_000, 11.512920464961896)]
    public void Digamma_has_its_known_values(double x, double expected) => Assert.Equal(expected, Maximization.Digamma(x), tolerance: 1e-11);

    private static PieceSet PiecesOf(string[] sentences)
    {
        var runs = Corpus.RunsOf(sentences);
        return new PieceSet(runs, SeedPieces.Find(runs, longestPiece: 4, wanted: 100, workers: 1, CancellationToken.None), workers: 1, CancellationToken.None);
    }

    private static IEnumerable<string> Found(string sentence, PieceSet pieces)
    {
        var run = Enumerable.Range(0, pieces.Runs.Count).Single(
            index => pieces.Runs.Alphabet.ToText(pieces.Runs.Text.Slice(pieces.Runs.StartOf(index), pieces.Runs.LengthOf(index))) == sentence);
        for (var place = 0; place < sentence.Length; place++)
        {
            for (var piece = pieces.Longest[pieces.Runs.StartOf(run) + place]; piece != PieceSet.None; piece = pieces.Shorter[piece])
                yield return pieces.TextOf(piece);
        }
    }

    private static IEnumerable<int[]> Segmentations(PieceSet pieces, string text, int start)
    {
        if (start == text.Length)
            return [[]];
        return Enumerable.Range(0, pieces.Count)
            .Where(piece => text.AsSpan(start).StartsWith(pieces.TextOf(piece)))
            .SelectMany(piece => Segmentations(pieces, text, start + pieces.Lengths[piece]).Select(rest => (int[])[piece, .. rest]));
    }
}
