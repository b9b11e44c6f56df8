using Streaming.Model.Generation;

namespace Streaming.Model.Tests.Generation;

public sealed class CandidatesSpec
{
    // Probabilities 0.4, 0.3, 0.2, 0.1 for tokens 2, 0, 3, 1.
    private static readonly float[] Scores = [MathF.Log(0.3f), MathF.Log(0.1f), MathF.Log(0.4f), MathF.Log(0.2f), float.NegativeInfinity];

    private static int[] Kept(GenerationOptions options, float[]? scores = null)
    {
        var candidates = new Candidates((scores ?? Scores).Length);
        candidates.Select(scores ?? Scores, options);
        return [.. candidates.Ids.ToArray().Order()];
    }

    [Fact]
    public void Top_k_keeps_the_most_probable_and_those_equal_to_the_last()
    {
        Assert.Equal([0, 2], Kept(new() { TopK = 2 }));
        Assert.Equal([0, 1, 2, 3], Kept(new() { TopK = 9 }));
        Assert.Equal([0, 1, 2, 3], Kept(new()));
        Assert.Equal([1, 2, 3], Kept(new() { TopK = 2 }, [0, 1, 2, 1]));
        Assert.Equal([0, 2], Kept(new() { TopK = 1, Beams = 2 })); // beams need a second token
    }

    [Theory]
    [InlineData(0.35, new[] { 2 })]
    [InlineData(0.65, new[] { 0, 2 })]
    [InlineData(0.75, new[] { 0, 2, 3 })]
    [InlineData(0.95, new[] { 0, 1, 2, 3 })]
    [InlineData(1e-9, new[] { 2 })]
    public void Top_p_keeps_the_fewest_tokens_that_make_up_the_share(double share, int[] expected) => Assert.Equal(expected, Kept(new() { TopP = share }));

    [Fact]
    public void Min_p_keeps_tokens_near_the_most_probable()
    {
        Assert.Equal([0, 2], Kept(new() { MinP = 0.6 }));
        Assert.Equal([2], Kept(new() { MinP = 1 }));
        Assert.Equal([0, 2], Kept(new() { MinP = 1, Beams = 2 }));
    }

    [Fact]
    public void A_cut_of_a_large_vocabulary_equals_one_over_its_sorted_probabilities()
    {
        var random = new Random(3);
        for (var round = 0; round < 20; round++)
        {
            float[] scores = [.. Enumerable.Range(0, 3000).Select(_ => (float)(random.NextDouble() * (round < 10 ? 40 : 4)))];
            var options = new GenerationOptions { Temperature = 0.7 + random.NextDouble(), TopP = 0.5 + random.NextDouble() / 2.001, TopK = round % 2 == 0 ? 0 : 500 };
            Assert.Equal(Sorted(scores, options), Kept(options, scores));
        }
    }

    [Fact]
    public void Tokens_are_drawn_as_often_as_they_are_probable()
    {
        var candidates = new Candidates(5);
        candidates.Select(Scores, new() { TopK = 3 });
        var drawn = new int[5];
        for (var i = 0; i < 9000; i++)
            drawn[candidates.Draw((i + 0.5) / 9000)]++;
        Assert.Equal([3000, 0, 4000, 2000, 0], drawn.Select(count => (int)Math.Round(count / 10.0) * 10));
    }

    [Fact]
    public void Tokens_of_a_large_vocabulary_are_drawn_as_often_as_they_are_probable()
    {
        // The likeliest token stands far behind the first block, forbidden ones all over.
        var random = new Random(5);
        float[] scores = [.. Enumerable.Range(0, 5003).Select(id => id % 3 == 0 ? float.NegativeInfinity : id == 4001 ? 6 : (float)random.NextDouble())];
        var candidates = new Candidates(scores.Length);
        candidates.Select(scores, new());
        var drawn = new int[scores.Length];
        const int draws = 4_000;
        for (var i = 0; i < draws; i++)
            drawn[candidates.Draw((i + 0.5) / draws)]++;
        var total = scores.Sum(score => Math.Exp(score));
        for (var id = 0; id < scores.Length; id++)
            Assert.InRange(drawn[id], (int)(draws * Math.Exp(scores[id]) / total) - 1, (int)(draws * Math.Exp(scores[id]) / total) + 2);
        Assert.True(float.IsFinite(scores[candidates.Draw(1 - 1e-12)])); // the end of the range is a token that may come
    }

    [Fact]
    public void Log_probabilities_are_those_of_double_precision()
    {
        var random = new Random(9);
        foreach (var spread in new[] { 1.0, 20, 200 })
        {
            float[] scores = [.. Enumerable.Range(0, 50_257).Select(_ => (float)((random.NextDouble() - 0.5) * spread)), float.NegativeInfinity, -3e38f];
            var highest = scores.Max();
            var expected = highest + Math.Log(scores.Sum(score => Math.Exp((double)score - highest)));
            Assert.Equal(expected, Probabilities.LogSumExp(scores), 2e-6 * Math.Max(1, Math.Abs(expected)));
        }
    }

    /// <summary>Temperature, top-k and top-p, one after the other over a sorted list.</summary>
    private static int[] Sorted(float[] scores, GenerationOptions options)
    {
        var order = Enumerable.Range(0, scores.Length).OrderByDescending(id => scores[id]).Take(options.TopK > 0 ? options.TopK : scores.Length).ToArray();
        double[] weights = [.. order.Select(id => Math.Exp((scores[id] - scores[order[0]]) / options.Temperature))];
        var (kept, sum) = (0, 0.0);
        while (kept < order.Length && sum < options.TopP * weights.Sum())
            sum += weights[kept++];
        return [.. order.Take(kept).Order()];
    }
}
