namespace Streaming.Streams.Tests.Tokenization;

/// <summary>The arithmetic of the reference's optimised Viterbi search, one decision a test.</summary>
public class SegmentationSpec
{
    // Normalizer settings: no dummy prefix, spaces as they come.
    private static ModelFile Model() => ModelFile.WithUnknown().Normalizer(3, false).Normalizer(4, false);

    private static string Pieces(ModelFile model, string text)
    {
        var tokenizer = model.Load();
        return string.Join('|', tokenizer.EncodeToTokens(text, out _).Select(token => token.Value));
    }

    [Fact]
    public void Of_equal_segmentations_the_one_with_the_earlier_start_of_the_last_piece_stays()
    {
        var model = Model().Piece("a", -1).Piece("b", -1).Piece("ab", -2).Piece("bc", -2).Piece("c", -1);
        Assert.Equal("ab", Pieces(model, "ab"));
        Assert.Equal("a|bc", Pieces(model, "abc"));
    }

    [Fact]
    public void A_candidate_is_compared_before_it_is_rounded_to_float32()
    {
        // The parts add up to -16777217.5, which is more than the whole's -16777218 and rounds to the same.
        var model = Model().Piece("a", -16777216).Piece("b", -1.5f).Piece("ab", -16777218);
        Assert.Equal("a|b", Pieces(model, "ab"));
    }

    [Fact]
    public void An_uncovered_character_costs_ten_more_than_the_worst_piece()
    {
        // 'a' alone is no piece: both pieces together, or the unknown a and then the cheap rest.
        Assert.Equal("ab|c", Pieces(Model().Piece("ab", -10.5f).Piece("c", -10.5f).Piece("bc", -1), "abc"));
        Assert.Equal("a|bc", Pieces(Model().Piece("ab", -11.5f).Piece("c", -11.5f).Piece("bc", -1), "abc"));
    }

    [Fact]
    public void A_user_defined_piece_wins_over_its_parts_unless_they_are_certain()
    {
        Assert.Equal("abc", Pieces(Model().Piece("a", -0.02f).Piece("b", -0.05f).Piece("c", -0.05f).Piece("abc", 0, ModelFile.UserDefined), "abc"));
        Assert.Equal("a|b|c", Pieces(Model().Piece("a", -0.02f).Piece("b", -0.02f).Piece("c", -0.05f).Piece("abc", 0, ModelFile.UserDefined), "abc"));
        // A positive best score counts once for each byte.
        Assert.Equal("abc", Pieces(Model().Piece("a", 1).Piece("b", 1).Piece("c", 0.5f).Piece("abc", 0, ModelFile.UserDefined), "abc"));
    }

    [Fact]
    public void An_unused_piece_is_known_but_never_chosen()
    {
        var model = Model().Piece("a", -1).Piece("b", -1).Piece("ab", 0, ModelFile.Unused);
        Assert.Equal("a|b", Pieces(model, "ab"));
        Assert.Equal(3, model.Load().PieceToId("ab"));
    }

    [Fact]
    public void Runs_of_unknown_characters_are_one_token_without_byte_fallback()
    {
        var model = Model().Piece("a", -1);
        Assert.Equal("xy𠮷|a|z", Pieces(model, "xy𠮷az"));
        Assert.Equal([0, 1, 0], model.Load().Encode("xy𠮷az"));
    }

    [Fact]
    public void Spaces_stay_as_they_are_where_the_model_does_not_escape_them() =>
        Assert.Equal("a| |b", Pieces(Model().Normalizer(5, false).Piece("a", -1).Piece("b", -1).Piece(" ", -1), "a b"));
}
