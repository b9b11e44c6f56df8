using Streaming.Streams.Cleaning;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Cleaning;

public sealed class MinHashSpec
{
    [Theory]
    [InlineData(0.5)]
    [InlineData(0.8)]
    [InlineData(0.95)]
    public void Texts_share_a_band_with_the_probability_of_the_curve(double overlap)
    {
        const int pairs = 400;
        var random = new Random(7);
        var minHash = new MinHash(bands: 14, rows: 8);
        var (first, second) = (new ulong[14], new ulong[14]);
        var (found, expected, equalRows, similarities) = (0, 0.0, 0, 0.0);
        var rows = new MinHash(bands: 112, rows: 1); // each function by itself: an estimate of the similarity
        var (firstRows, secondRows) = (new ulong[112], new ulong[112]);
        for (var pair = 0; pair < pairs; pair++)
        {
            var text = Draw(random, 400);
            var shared = (int)(text.Length * overlap);
            var other = text[..shared] + Draw(random, text.Length - shared);
            var similarity = Jaccard(text, other);
            minHash.Hash(text, first);
            minHash.Hash(other, second);
            found += first.Zip(second).Any(keys => keys.First == keys.Second) ? 1 : 0;
            expected += MinHash.Probability(similarity, 14, 8);
            rows.Hash(text, firstRows);
            rows.Hash(other, secondRows);
            equalRows += firstRows.Zip(secondRows).Count(keys => keys.First == keys.Second);
            similarities += similarity;
        }
        // 44,800 draws: the mean deviates by sqrt(s(1-s)/44,800), 0.0024 at most; five deviations. The hash is fixed.
        Assert.InRange((double)equalRows / (112 * pairs) - similarities / pairs, -0.012, 0.012);
        // 400 draws deviate by 0.025 at most; four deviations.
        Assert.InRange((found - expected) / pairs, -0.1, 0.1);
    }

    [Fact]
    public void The_rows_follow_from_the_similarity()
    {
        Assert.Equal(8, MinHash.For(0.8, 14).Rows);
        Assert.Equal(1, MinHash.For(0.3, 1).Rows);
        foreach (var similarity in new[] { 0.4, 0.6, 0.75, 0.9 })
        {
            var rows = MinHash.For(similarity, 14).Rows;
            Assert.True(MinHash.Probability(similarity, 14, rows) >= 0.9);
            Assert.True(MinHash.Probability(similarity, 14, rows + 1) < 0.9);
        }
        Assert.Equal(0.924, MinHash.Probability(0.8, 14, 8), 3);
    }

    [Fact]
    public void A_text_of_any_length_has_keys_of_its_own()
    {
        var minHash = new MinHash(3, 5);
        var seen = new HashSet<ulong>();
        var random = new Random(3);
        var text = Draw(random, 2000);
        foreach (var length in new[] { 0, 1, 2, 3, 4, 5, 6, 20, 511, 515, 516, 517, 2000 })
        {
            var keys = new ulong[3];
            minHash.Hash(text.AsSpan(0, length), keys);
            var again = new ulong[3];
            minHash.Hash(text.AsSpan(0, length).ToArray(), again);
            Assert.Equal(keys, again);
            Assert.Equal(3, keys.Distinct().Count());
            if (length is < 6 or 20)
                Assert.All(keys, key => Assert.True(seen.Add(key)));
        }
    }

    [Fact]
    public void Texts_are_compared_by_letters_and_digits_alone()
    {
        var hasher = new DocumentHasher(DuplicateOptions.Web with { LineCharacters = 1 });
        var fingerprints = new DocumentFingerprints();
        string[][] same =
        [
            ["Ｗｅｂの記事、その１。", "ｶﾞｲﾄﾞ"],
            ["web の 記事。その1", "ｶﾞｲﾄﾞ！"],
            ["WEBの記事「その1」", "", "ｶﾞｲﾄﾞ"],
        ];
        foreach (var document in same.Append(["Webの記事、その2。", "ｶﾞｲﾄﾞ"]))
        {
            var lines = new TextBatch();
            foreach (var line in document)
                lines.AppendLine(line);
            hasher.Hash(lines, 0, lines.Count, fingerprints);
        }
        Assert.Equal(4, fingerprints.Count);
        for (var index = 1; index < 3; index++)
        {
            Assert.Equal(fingerprints.Whole(0), fingerprints.Whole(index));
            Assert.Equal(fingerprints.Bands(0).ToArray(), fingerprints.Bands(index).ToArray());
            Assert.Equal(fingerprints.Lines(0)[0], fingerprints.Lines(index)[0]);
            Assert.Equal(fingerprints.Lines(0)[^1], fingerprints.Lines(index)[^1]);
        }
        Assert.NotEqual(fingerprints.Whole(0), fingerprints.Whole(3));
        Assert.Equal(0UL, fingerprints.Lines(2)[1]);
    }

    [Fact]
    public void A_document_without_letters_is_never_looked_up()
    {
        var lines = new TextBatch();
        lines.AppendLine("――――");
        var fingerprints = new DocumentFingerprints();
        new DocumentHasher(DuplicateOptions.Web).Hash(lines, 0, 1, fingerprints);
        Assert.Equal(0UL, fingerprints.Whole(0));
        Assert.Equal(0, fingerprints.Bands(0).Length);
    }

    private static string Draw(Random random, int length) =>
        string.Create(length, random, (text, source) =>
        {
            foreach (ref var unit in text)
                unit = (char)('ぁ' + source.Next(80));
        });

    private static double Jaccard(string first, string second)
    {
        var (runs, others) = (Runs(first), Runs(second));
        var common = runs.Count(others.Contains);
        return (double)common / (runs.Count + others.Count - common);

        static HashSet<string> Runs(string text) => [.. Enumerable.Range(0, text.Length - MinHash.RunLength + 1).Select(start => text.Substring(start, MinHash.RunLength))];
    }
}
