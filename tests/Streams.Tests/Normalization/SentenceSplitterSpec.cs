using Streaming.Streams.Normalization;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Normalization;

public sealed class SentenceSplitterSpec
{
    [Fact]
    public void Every_reference_line_is_split_as_ssplit_splits_it() =>
        Assert.All(NormalizationCases.Read(), reference => Assert.Equal(reference.Sentences, Split(reference.Normalized)));

    // Each row was taken from ssplit itself: the text, then its sentences.
    [Theory]
    [InlineData("")]
    [InlineData(" \t\n\u3000\n")]
    [InlineData("\u001C\u001F\u0085\u00A0\u2028")]
    [InlineData("はい。いいえ", "はい。", "いいえ")]
    [InlineData("何！？本当…", "何！？", "本当…")]
    [InlineData("。。は。", "。。", "は。")]
    [InlineData("あ。 。い。", "あ。", "。", "い。")]
    [InlineData("「はい。」と。次。", "「はい。」と。", "次。")]
    [InlineData("「はい。次。\nい。う。", "「はい。次。", "い。", "う。")]
    [InlineData("は)い。次。\n(い。う。", "は)い。次。", "(い。う。")]
    [InlineData(")は。(。い。", ")は。(。", "い。")]
    [InlineData("“は。」い。", "“は。」い。")]
    [InlineData("（は。)い。", "（は。)い。")]
    [InlineData("『は。い』", "『は。", "い』")]
    [InlineData("あ\n。い", "あ", "。", "い")]
    [InlineData("あ\r\n い\u001F。", "あ", "い\u001F。")]
    [InlineData("𠮷!🙂?\0", "𠮷!", "🙂?", "\0")]
    [InlineData("3.14です.次", "3.14です.次")]
    public void Hard_texts_are_split_as_ssplit_splits_them(string text, params string[] sentences) =>
        Assert.Equal(sentences, Split(text));

    [Fact]
    public void Lone_surrogates_stay_where_they_are() =>
        Assert.Equal(["\uD800。", "\uDC00"], Split("\uD800。\uDC00"));

    [Fact]
    public void Sentences_follow_what_the_batch_holds_and_are_counted()
    {
        var batch = new TextBatch();
        batch.AppendLine("前。");
        Assert.Equal(2, SentenceSplitter.Split("あ。い。", batch));
        Assert.Equal(3, batch.Count);
        Assert.Equal("い。", batch[2].ToString());
    }

    private static string[] Split(string text)
    {
        var batch = new TextBatch();
        SentenceSplitter.Split(text, batch);
        return [.. Enumerable.Range(0, batch.Count).Select(index => batch[index].ToString())];
    }
}
