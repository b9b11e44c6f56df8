using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Tests.Configuration;

public sealed class HoconResolverSpec
{
    [Theory]
    [InlineData("a = ${b}\nb = 1", "1")]
    [InlineData("b { c = 1 }\na = ${b.c}", "1")]
    [InlineData("a = x${b}y\nb = 1", "x1y")]
    [InlineData("a = 1\na = ${?MISSING}", "1")]
    [InlineData("a = 1\na = ${?PRESENT}", "from outside")]
    [InlineData("a = ${PRESENT}", "from outside")]
    [InlineData("a = ${?MISSING} ${?MISSING}\na = ${?MISSING}\nb = 1\na = 2", "2")]
    [InlineData("a = 1\na = ${a}${a}", "11")]
    [InlineData("PRESENT = a key\na = ${PRESENT}", "a key")]
    public void A_substitution_is_a_key_else_an_environment_variable(string text, string expected)
        => Assert.Equal(expected, Assert.IsType<ConfigurationScalar>(Resolve(text).Find(["a"])).Text);

    [Fact]
    public void A_missing_optional_substitution_leaves_no_key()
        => Assert.Null(Resolve("a = ${?MISSING}").Find(["a"]));

    [Fact]
    public void An_object_is_extended_by_another()
        => Assert.Equal("{x = 1, y = 3, z = 4}", HoconWriter.Write(Resolve("b { x = 1, y = 2 }\na = ${b} { y = 3 }\na.z = 4").Find(["a"])!));

    [Fact]
    public void A_value_from_the_environment_says_so()
        => Assert.Equal("environment PRESENT, test.hocon:2", Resolve("\na = ${?PRESENT}").Find(["a"])!.Origin.ToString());

    [Theory]
    [InlineData("a = ${MISSING}", "test.hocon:1: '${MISSING}' is neither a key nor an environment variable; '${?MISSING}' makes it optional.")]
    [InlineData("a = ${b}\nb = ${a}", "test.hocon:2: '${a}' is neither a key nor an environment variable; '${?a}' makes it optional.")]
    [InlineData("a = [1] two", "test.hocon:1: text, arrays and objects cannot stand side by side in the value of 'a'.")]
    public void What_cannot_be_resolved_is_a_sentence_with_its_line(string text, string expected)
        => Assert.Equal(expected, Assert.Throws<HoconSyntaxException>(() => Resolve(text)).Message);

    private static ConfigurationObject Resolve(string text)
        => HoconResolver.Resolve(
            HoconParser.Parse(text, "test.hocon", "/", _ => throw new InvalidOperationException()),
            name => name == "PRESENT" ? "from outside" : null);
}
