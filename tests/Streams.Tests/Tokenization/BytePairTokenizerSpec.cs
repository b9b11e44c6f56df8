using System.Text;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Tokenization;

public class BytePairTokenizerSpec
{
    private const int ModelType = 3, ByteFallback = 35; // fields of the trainer settings

    // Byte pairs; no dummy prefix, spaces as they come.
    private static ModelFile Model() => ModelFile.WithUnknown().Trainer(ModelType, 2).Normalizer(3, false).Normalizer(4, false);

    private static string Pieces(ModelFile model, string text)
    {
        var tokenizer = model.Load();
        return string.Join('|', tokenizer.EncodeToTokens(text, out _).Select(token => token.Value));
    }

    [Theory]
    [InlineData("pairs-bytes")]
    [InlineData("pairs-unknown")]
    public void Lines_encode_and_decode_as_SentencePiece_does_it(string model)
    {
        var tokenizer = TokenizerCases.LoadSmall(model);
        var cases = TokenizerCases.ReadSmall(model).ToList();
        Assert.True(cases.Count > 250);
        foreach (var line in cases)
        {
            Assert.Equal(line.Ids, tokenizer.Encode(line.Text));
            Assert.Equal(line.Decoded, tokenizer.Decode(line.Ids));
        }
    }

    [Fact]
    public void What_is_remembered_of_earlier_lines_changes_nothing()
    {
        var encoder = TokenizerCases.LoadSmall("pairs-bytes").CreateEncoder();
        for (var pass = 0; pass < 2; pass++)
        {
            foreach (var line in TokenizerCases.ReadSmall("pairs-bytes"))
            {
                var ids = new TokenBuffer();
                encoder.Encode(line.Text, ids);
                Assert.Equal(line.Ids, ids.Span.ToArray());
            }
        }
    }

    [Fact]
    public void Tokens_know_where_they_end_in_the_normalised_text()
    {
        foreach (var model in new[] { "pairs-bytes", "pairs-unknown" })
        {
            var tokenizer = TokenizerCases.LoadSmall(model);
            foreach (var line in TokenizerCases.ReadSmall(model))
            {
                var tokens = tokenizer.EncodeToTokens(line.Text, out var normalized);
                Assert.Equal(line.Ids, tokens.Select(token => token.Id));
                var place = 0;
                foreach (var token in tokens.Where(token => token.Offset.Start.Value < token.Offset.End.Value))
                {
                    Assert.Equal(place, token.Offset.Start.Value);
                    place = token.Offset.End.Value;
                }
                Assert.Equal(normalized!.Length, place);
            }
        }
    }

    [Fact]
    public void The_best_pair_goes_first_and_of_equal_ones_the_leftmost()
    {
        var letters = Model().Piece("a", -9).Piece("b", -9).Piece("c", -9);
        Assert.Equal("a|bc", Pieces(letters.Piece("ab", -2).Piece("bc", -1), "abc"));
        Assert.Equal("aa|aa|a", Pieces(Model().Piece("a", -9).Piece("aa", -1), "aaaaa"));
        // A pair of the same score further left wins, whatever its id.
        Assert.Equal("ab|c", Pieces(Model().Piece("a", -9).Piece("b", -9).Piece("c", -9).Piece("bc", -1).Piece("ab", -1), "abc"));
    }

    [Fact]
    public void A_character_that_is_no_piece_may_still_be_part_of_one()
    {
        var model = Model().Piece("a", -9).Piece("xa", -1);
        Assert.Equal("xa|x", Pieces(model, "xax"));
    }

    [Fact]
    public void A_user_defined_piece_is_never_joined_nor_cut()
    {
        var model = Model().Piece("a", -9).Piece("b", -9).Piece("c", -9).Piece("ab", -1).Piece("bc", 0, ModelFile.UserDefined).Piece("abc", -2);
        Assert.Equal("a|bc", Pieces(model, "abc"));
    }

    [Fact]
    public void An_unused_piece_falls_apart_into_what_made_it()
    {
        var model = Model().Piece("a", -9).Piece("b", -9).Piece("c", -9).Piece("ab", -1, ModelFile.Unused).Piece("abc", -2, ModelFile.Unused);
        Assert.Equal("a|b|c|a", Pieces(model, "abca"));
        Assert.Equal("a|b|cd", Pieces(model.Piece("d", -9).Piece("cd", -1), "abcd"));
    }

    [Fact]
    public void Unknown_characters_in_a_row_are_one_token_without_byte_fallback_and_bytes_with_it()
    {
        Assert.Equal("xy𠮷|a|z", Pieces(Model().Piece("a", -1), "xy𠮷az"));
        Assert.Equal("<0xF0>|<0xA0>|<0xAE>|<0xB7>|a", Pieces(Model().Trainer(ByteFallback, 1).Piece("a", -1).BytePieces(), "𠮷a"));
    }

    [Fact]
    public void A_long_text_without_a_place_to_cut_is_merged_as_a_short_one()
    {
        // 1,000 letters go through the queue, where 40 are looked through: both must take the leftmost of equal pairs.
        var model = Model().Piece("a", -9).Piece("aa", -1).Piece("aaaa", -2).Piece("aaa", -3);
        Assert.Equal(string.Join('|', Enumerable.Repeat("aaaa", 9)) + "|aaa", Pieces(model, new string('a', 39)));
        Assert.Equal(string.Join('|', Enumerable.Repeat("aaaa", 250)) + "|aaa", Pieces(model, new string('a', 1003)));
    }

    [Fact]
    public void A_character_in_bytes_is_shown_when_it_is_whole()
    {
        var tokenizer = TokenizerCases.LoadSmall("pairs-bytes");
        var decoder = tokenizer.CreateDecoder();
        var shown = tokenizer.Encode("👍a").Select(id => decoder.Append(id).ToString()).ToList();
        Assert.Equal("👍a", string.Concat(shown));
        Assert.Contains("👍", shown);
    }

    [Fact]
    public void Random_ids_give_the_text_of_decoding_them_at_once()
    {
        var tokenizer = TokenizerCases.LoadSmall("pairs-bytes");
        var random = new Random(4);
        for (var i = 0; i < 1000; i++)
        {
            var ids = Enumerable.Range(0, random.Next(20)).Select(_ => random.Next(random.Next(2) == 0 ? 259 : tokenizer.VocabularySize)).ToArray();
            var decoder = tokenizer.CreateDecoder();
            var text = new StringBuilder();
            foreach (var id in ids)
                text.Append(decoder.Append(id));
            Assert.Equal(tokenizer.Decode(ids), text.Append(decoder.Finish()).ToString());
        }
    }

    [Fact]
    public void A_score_that_is_no_number_is_refused()
    {
        var refused = Assert.Throws<InvalidDataException>(() => Model().Piece("a", float.NaN).Load());
        Assert.Contains("a piece's score is no number", refused.Message);
    }
}
