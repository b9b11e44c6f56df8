using Streaming.Model.Engines;

namespace Streaming.Model.Tests.Engines;

public sealed class MicroBatchSpec
{
    private const int None = MicroBatch.Ignored;

    private static readonly int[] Tokens = [10, 11, 12, 13, 20, 21, 22, 23];

    private static (int Predicted, int[] Labels) Labels(int[] starts, bool[] mask)
    {
        var labels = new int[Tokens.Length];
        var predicted = new MicroBatch(Tokens, rows: 2) { DocumentStarts = starts, LossMask = mask }.WriteLabels(labels);
        return (predicted, labels);
    }

    private static int[] Boundaries(int[] starts, int positions = 8)
    {
        var boundaries = new int[positions + 1];
        var documents = new MicroBatch(Tokens, rows: 2) { DocumentStarts = starts }.WriteBoundaries(boundaries, positions);
        return boundaries[..(documents + 1)];
    }

    [Fact]
    public void Each_token_but_a_rows_last_predicts_the_next()
    {
        var (predicted, labels) = Labels([], []);

        Assert.Equal([11, 12, 13, None, 21, 22, 23, None], labels);
        Assert.Equal(6, predicted);
    }

    [Fact]
    public void A_documents_last_token_predicts_nothing()
    {
        Check(6, [11, 12, 13, None, 21, 22, 23, None], Labels([0, 4], []));
        Check(4, [11, None, 13, None, 21, 22, None, None], Labels([0, 2, 7], []));
        Check(0, [None, None, None, None, None, None, None, None], Labels([0, 1, 2, 3, 4, 5, 6, 7], []));

        static void Check(int predicted, int[] labels, (int Predicted, int[] Labels) actual)
        {
            Assert.Equal(labels, actual.Labels);
            Assert.Equal(predicted, actual.Predicted);
        }
    }

    [Fact]
    public void The_mask_names_the_tokens_to_predict_and_counts_with_the_documents()
    {
        var (predicted, labels) = Labels([0, 2], [true, false, true, true, true, true, false, true]);

        Assert.Equal([None, None, 13, None, 21, None, 23, None], labels);
        Assert.Equal(3, predicted);
    }

    [Fact]
    public void Boundaries_hold_row_starts_document_starts_and_the_end()
    {
        Assert.Equal([0, 4, 8], Boundaries([]));
        Assert.Equal([0, 4, 8], Boundaries([0, 4]));
        Assert.Equal([0, 2, 4, 7, 8], Boundaries([0, 2, 7]));
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8], Boundaries([0, 1, 2, 3, 4, 5, 6, 7]));
    }

    [Fact]
    public void Rows_that_are_not_there_are_documents_of_their_own() => Assert.Equal([0, 3, 4, 8, 12, 16], Boundaries([0, 3], positions: 16));

    [Theory]
    [InlineData(new[] { 1, 4 }, "document starts must ascend from 0 and lie within 8 tokens, number 0 is 1")]
    [InlineData(new[] { 0, 4, 4 }, "document starts must ascend from 0 and lie within 8 tokens, number 2 is 4")]
    [InlineData(new[] { 0, 8 }, "document starts must ascend from 0 and lie within 8 tokens, number 1 is 8")]
    public void Starts_out_of_order_or_out_of_range_are_refused(int[] starts, string message)
    {
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => Labels(starts, [])).Message);
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => Boundaries(starts)).Message);
    }

    [Fact]
    public void A_mask_of_another_length_is_refused() =>
        Assert.Equal("the loss mask has 3 entries for 8 tokens", Assert.Throws<ArgumentException>(() => Labels([], [true, true, true])).Message);
}
