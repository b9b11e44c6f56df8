using Streaming.Streams.Normalization;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Normalization;

public sealed class TextNormalizationSpec
{
    private static readonly string[] Lines =
    [
        "　吾輩は猫である。名前はまだ無い。",
        "",
        "「ﾊﾞｶﾞｶ　しい！」と言った。ＡＢＣ 123～！？",
        "　",
        "スーーーパー\uD83D\0。" + new string('漢', 3000),
    ];

    [Fact]
    public void A_batch_yields_the_sentences_of_its_lines_in_order_and_how_many_each_has()
    {
        var lines = Batch(Lines);
        var sentences = new TextBatch();
        var counts = new int[lines.Count];
        TextNormalization.NormalizeAndSplit(lines, sentences, counts);

        Assert.Equal([2, 0, 2, 0, 2], counts);
        string[] expected = ["吾輩は猫である。", "名前はまだ無い。", "「バガカしい!」と言った。", "ABC 123!?", "スーパー\uD83D\0。", new string('漢', 3000)];
        Assert.Equal(expected, Enumerable.Range(0, sentences.Count).Select(index => sentences[index].ToString()));
    }

    [Fact]
    public void A_batch_yields_what_the_references_make_of_every_line()
    {
        var cases = NormalizationCases.Read();
        var lines = Batch(cases.Select(reference => reference.Line));
        var sentences = new TextBatch();
        TextNormalization.NormalizeAndSplit(lines, sentences);
        Assert.Equal(cases.SelectMany(reference => reference.Sentences), Enumerable.Range(0, sentences.Count).Select(index => sentences[index].ToString()));
    }

    [Fact]
    public void Once_warm_not_one_byte_is_allocated()
    {
        var lines = Batch(Enumerable.Repeat(Lines, 100).SelectMany(each => each));
        var sentences = new TextBatch();
        var counts = new int[lines.Count];

        // The first rounds grow the batch and the pool and let the compiler settle.
        var fewest = long.MaxValue;
        for (var round = 0; round < 10; round++)
        {
            sentences.Clear();
            var before = GC.GetAllocatedBytesForCurrentThread();
            TextNormalization.NormalizeAndSplit(lines, sentences, counts);
            fewest = Math.Min(fewest, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, fewest);
    }

    [Fact]
    public void A_line_of_megabytes_passes_whole()
    {
        var line = string.Concat(Enumerable.Repeat("「終わらない。", 500_000));
        var sentences = new TextBatch();
        TextNormalization.NormalizeAndSplit(Batch([line]), sentences);
        Assert.Equal(1, sentences.Count);
        Assert.True(sentences[0].SequenceEqual(line), "the one sentence is the whole line");
    }

    [Fact]
    public void A_batch_cannot_be_normalised_into_itself()
    {
        var lines = Batch(Lines);
        Assert.Throws<ArgumentException>(() => TextNormalization.NormalizeAndSplit(lines, lines));
    }

    [Fact]
    public void Too_little_room_for_the_counts_is_refused()
    {
        var lines = Batch(Lines);
        var failure = Assert.Throws<ArgumentException>(() => TextNormalization.NormalizeAndSplit(lines, new TextBatch(), new int[1]));
        Assert.Contains("the counts of 1 lines, there are 5", failure.Message, StringComparison.Ordinal);
    }

    private static TextBatch Batch(IEnumerable<string> lines)
    {
        var batch = new TextBatch();
        foreach (var line in lines)
            batch.AppendLine(line);
        return batch;
    }
}
