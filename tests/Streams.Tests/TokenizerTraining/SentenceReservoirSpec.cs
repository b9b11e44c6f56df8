using Streaming.Streams.TokenizerTraining;

namespace Streaming.Streams.Tests.TokenizerTraining;

public sealed class SentenceReservoirSpec
{
    [Fact]
    public void A_draw_keeps_the_order_of_the_text_and_depends_on_the_seed_alone()
    {
        var draw = Draw(100, seed: 1, sentences: 10_000);
        Assert.Equal(100, draw.Count);
        Assert.Equal(draw.Order(), draw);
        Assert.Equal(draw, Draw(100, seed: 1, sentences: 10_000));
        Assert.NotEqual(draw, Draw(100, seed: 2, sentences: 10_000));
    }

    [Fact]
    public void Every_part_of_the_text_is_drawn_from_evenly()
    {
        var tenths = new int[10];
        for (var seed = 0; seed < 50; seed++)
        {
            foreach (var sentence in Draw(200, seed, sentences: 5_000))
                tenths[sentence / 500]++;
        }
        // 1,000 of 10,000 each on average; the standard deviation is about 30, so 5 of them
        Assert.All(tenths, drawn => Assert.InRange(drawn, 850, 1_150));
    }

    [Fact]
    public void A_text_that_fits_is_kept_whole()
    {
        Assert.Equal(Enumerable.Range(0, 300), Draw(300, seed: 5, sentences: 300));
        Assert.Equal(Enumerable.Range(0, 300), Draw(0, seed: 5, sentences: 300));
    }

    private static List<int> Draw(int capacity, long seed, int sentences)
    {
        var reservoir = new SentenceReservoir(capacity, seed);
        for (var sentence = 0; sentence < sentences; sentence++)
        {
            if (reservoir.Wants())
                reservoir.Offer(sentence.ToString(System.Globalization.CultureInfo.InvariantCulture));
            else
                reservoir.Skip();
        }
        reservoir.Complete();
        return [.. Enumerable.Range(0, reservoir.Count).Select(index => int.Parse(reservoir[index], System.Globalization.CultureInfo.InvariantCulture))];
    }
}
