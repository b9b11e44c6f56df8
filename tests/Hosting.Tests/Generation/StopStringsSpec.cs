using Streaming.Hosting.Generation;

namespace Streaming.Hosting.Tests.Generation;

public sealed class StopStringsSpec
{
    private static (string Text, bool IsHit) Feed(string[] stops, params string[] pieces)
    {
        var watch = new StopStrings(stops);
        var text = string.Concat(pieces.Select(piece => watch.Feed(piece)));
        return (watch.IsHit ? text : text + watch.Finish(), watch.IsHit);
    }

    [Fact]
    public void A_text_ends_before_the_first_stop_string_wherever_pieces_cut_it()
    {
        Assert.Equal(("今日は", true), Feed(["###", "。"], "今日", "は", "#", "##", "指示"));
        Assert.Equal(("今日は", true), Feed(["###", "。"], "今日は。明日###"));
        Assert.Equal(("a", true), Feed(["abab", "bb"], "ab", "b", "ab"));
    }

    [Fact]
    public void What_only_begins_like_a_stop_string_is_shown_in_the_end() => Assert.Equal(("今日は##です#", false), Feed(["###"], "今日は#", "#", "です", "#"));

    [Fact]
    public void Text_that_cannot_belong_to_a_stop_string_is_shown_at_once()
    {
        var watch = new StopStrings(["\n\n"]);
        Assert.Equal("一行目", watch.Feed("一行目\n"));
        Assert.Equal("\n二", watch.Feed("二"));
    }
}
