using CsCheck;
using Streaming.Streams.Normalization;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Normalization;

public sealed class JapaneseNormalizerSpec
{
    [Fact]
    public void Every_reference_line_becomes_what_neologdn_makes_of_it() =>
        Assert.All(NormalizationCases.Read(), reference => Assert.Equal(reference.Normalized, JapaneseNormalizer.Normalize(reference.Line)));

    // Each pair was taken from neologdn 0.5.6 itself.
    [Theory]
    [InlineData("", "")]
    [InlineData("　", "")]
    [InlineData("～", "")]
    [InlineData("ＡＢＣ１２３（笑）！", "ABC123(笑)!")]
    [InlineData("ｶﾞｶ゛うﾞはﾟは゜ﾊﾟﾟ", "ガガゔぱぱパﾟ")]
    [InlineData("かﾞｱﾞ", "かﾞアﾞ")]
    [InlineData("か\u3099", "か\u3099")]
    [InlineData("スーーー―─ｰパ", "スーパ")]
    [InlineData("-－−-−", "-ー--")]
    [InlineData("わ～～〜い~", "わい")]
    [InlineData("a  b　c", "a b c")]
    [InlineData("a あ　b", "aあb")]
    [InlineData("a ーb", "a ーb")]
    [InlineData("a - あ", "a -あ")]
    [InlineData("* a", "*a")]
    [InlineData("é a é", "éa é")]
    [InlineData("a ~ b　~あ", "a bあ")]
    [InlineData("a ", "a")]
    [InlineData("\t \ta", "\t \ta")]
    [InlineData("¥￥“”‘’", "\\￥\"\"`'")]
    [InlineData("𠮷 野🙂 a", "𠮷野🙂a")]
    [InlineData("\0 \0あ a\0 あ", "\0 \0あa\0あ")]
    public void Hard_lines_become_what_neologdn_makes_of_them(string line, string normalized) =>
        Assert.Equal(normalized, JapaneseNormalizer.Normalize(line));

    [Theory]
    [InlineData("\uFEFFabc", "abc")]
    [InlineData("～\uFEFF", "")]
    [InlineData("　\uFEFF\uFEFFa", "\uFEFFa")]
    [InlineData("a\uFEFF", "a\uFEFF")]
    public void One_leading_byte_order_mark_is_taken_away_as_by_neologdn(string line, string normalized) =>
        Assert.Equal(normalized, JapaneseNormalizer.Normalize(line));

    [Theory]
    [InlineData("\uD800", "\uD800")]
    [InlineData("あ\uDC00 ａ\uD83D", "あ\uDC00a\uD83D")]
    public void Lone_surrogates_pass_through(string line, string normalized) =>
        Assert.Equal(normalized, JapaneseNormalizer.Normalize(line));

    [Fact]
    public void A_character_of_two_units_is_treated_as_any_other_unknown_character()
    {
        // U+E000 is private: neologdn has no rule for it, nor for an emoji, so one may stand for the other.
        string[] alphabet = ["🙂", "a", " ", "　", "-", "−", "ー", "ﾊ", "ﾟ", "う", "゛", "~", "漢", "*", "é"];
        Gen.Int[0, alphabet.Length - 1].Array[0, 30].Select(picks => string.Concat(picks.Select(pick => alphabet[pick]))).Sample(line =>
            Assert.Equal(
                JapaneseNormalizer.Normalize(line.Replace("🙂", "\uE000")),
                JapaneseNormalizer.Normalize(line).Replace("🙂", "\uE000")));
    }

    [Fact]
    public void Any_sequence_of_units_is_taken_and_never_grows() =>
        Gen.Char['\0', '\uFFFF'].Array[0, 100].Sample(units =>
            Assert.InRange(JapaneseNormalizer.Normalize(new string(units)).Length, 0, units.Length));

    [Fact]
    public void The_result_continues_the_unfinished_line_of_a_batch_as_if_it_stood_alone()
    {
        var batch = new TextBatch(characters: 1, lines: 1);
        batch.Append("あー");
        JapaneseNormalizer.Normalize(" ーＡ ", batch);
        JapaneseNormalizer.Normalize("\uFEFF", batch);
        Assert.Equal("あーーA", batch.Pending.ToString());
        Assert.Equal(0, batch.Count);
    }

    [Fact]
    public void A_destination_shorter_than_the_line_is_refused()
    {
        var failure = Assert.Throws<ArgumentException>(() => JapaneseNormalizer.Normalize("abc", new char[2].AsSpan()));
        Assert.Contains("room for 2 characters, the line has 3", failure.Message, StringComparison.Ordinal);
    }
}
