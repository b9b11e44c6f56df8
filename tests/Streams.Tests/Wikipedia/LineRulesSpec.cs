using CsCheck;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Tests.Wikipedia;

public sealed class LineRulesSpec
{
    [Theory]
    [InlineData("", "")]
    [InlineData(" ", "")]
    [InlineData("a b", "a b")]
    [InlineData(" a\t\tb　\u00A0c\u2028", "a b c")]
    [InlineData("a\u200Bb", "a\u200Bb")]
    public void White_space_is_folded(string line, string expected) => Assert.Equal(expected, Fold(line));

    [Fact]
    public void Folding_is_splitting_at_white_space_and_joining_with_blanks() =>
        Gen.OneOf('a', ' ', '　', '\t', '漢', '\u0085', '\u2009').Array[0, 12].Sample(characters =>
            Assert.Equal(string.Join(' ', new string(characters).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), Fold(new string(characters))));

    [Theory]
    [InlineData("", 0, true)]
    [InlineData("あい", 2, true)]
    [InlineData("あい", 3, false)]
    [InlineData("🙂🙂", 3, false)]
    [InlineData("🙂🙂🙂", 3, true)]
    [InlineData("\uD83D\uD83D\uD83D", 3, true)]
    public void Characters_are_counted_as_code_points(string line, int minimum, bool expected) =>
        Assert.Equal(expected, LineRules.IsLongEnough(line, minimum));

    private static string Fold(string line)
    {
        var characters = line.ToCharArray();
        return new string(characters, 0, LineRules.FoldWhiteSpace(characters));
    }
}
