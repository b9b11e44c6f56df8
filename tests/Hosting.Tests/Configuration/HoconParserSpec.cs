using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Tests.Configuration;

public sealed class HoconParserSpec
{
    [Theory]
    [InlineData("a = 1", "1")]
    [InlineData("a : 1", "1")]
    [InlineData("{ \"a\" : 1 }", "1")]
    [InlineData("a = 1 # one", "1")]
    [InlineData("a = 1 // one", "1")]
    [InlineData("a = one two", "one two")]
    [InlineData("a = \"one\" two", "one two")]
    [InlineData("a = \"\"\"one \"two\" \"\"\"", "one \"two\" ")]
    [InlineData("a = \"\\u65e5\\n\\\\\"", "日\n\\")]
    [InlineData("a = 1\na = 2", "2")]
    [InlineData("a=1,b=2", "1")]
    [InlineData("\uFEFFa = 1\r\nb = 2\r\n", "1")]
    [InlineData("a = cuda:0", "cuda:0")]
    [InlineData("a = data/*.xz", "data/*.xz")]
    [InlineData("a = https://example.org/x", "https://example.org/x")]
    [InlineData("a = -1.5e-3", "-1.5e-3")]
    [InlineData("a = \"#\" # comment", "#")]
    public void A_scalar_is_read_as_written(string text, string expected)
        => Assert.Equal(expected, Assert.IsType<ConfigurationScalar>(Resolve(text, "a")).Text);

    [Fact]
    public void Nested_objects_dotted_keys_and_later_assignments_merge()
    {
        var root = Resolve("""
            a { b = 1, c { d = 2 } }
            a.c.e = 3
            a { b = 4 }
            "x.y" = 5
            """);
        Assert.Equal("{a = {b = 4, c = {d = 2, e = 3}}, \"x.y\" = 5}", HoconWriter.Write(root));
    }

    [Fact]
    public void Arrays_span_lines_end_with_a_comma_and_join()
        => Assert.Equal("[1, two, 3, four]", HoconWriter.Write(Resolve("a = [1, two\n 3 # three\n] [four,]", "a")!));

    [Fact]
    public void An_object_may_open_below_its_key()
        => Assert.Equal("{b = 1}", HoconWriter.Write(Resolve("a =\n{\n b = 1\n}", "a")!));

    [Fact]
    public void Appending_adds_to_what_was_assigned_before()
        => Assert.Equal("[1, 2, 3]", HoconWriter.Write(Resolve("a = [1]\na += 2\na += 3", "a")!));

    [Fact]
    public void A_value_knows_its_line()
    {
        var value = Resolve("# comment\n\na {\n  b = \"\"\"x\ny\"\"\"\n  c = 1\n}", "a", "c");
        Assert.Equal("test.hocon:6", value!.Origin.ToString());
    }

    [Theory]
    [InlineData("a {\n b = 1\n", "test.hocon:1: the '{' of 'a' is never closed: a '}' is missing before the end of the file.")]
    [InlineData("a {\n b = 1\n}\n}\n", "test.hocon:4: this '}' closes nothing: no '{' is open.")]
    [InlineData("a = [1, 2\nb = 3", "test.hocon:2: a second '=' stands in the value of 'a'; put the value in quotes.")]
    [InlineData("a = [1, 2\n", "test.hocon:1: the '[' of 'a' is never closed: a ']' is missing.")]
    [InlineData("a = \"open\nb = 1", "test.hocon:1: a quoted string is not closed: '\"' is missing.")]
    [InlineData("a = \"\"\"open\nb = 1", "test.hocon:1: a triple-quoted string is not closed: '\"\"\"' is missing.")]
    [InlineData("\na\nb = 1", "test.hocon:2: 'a' has no value: '=' or '{' is missing after it.")]
    [InlineData("a =\nb = 1", "test.hocon:1: a value is missing after '='.")]
    [InlineData("a = }", "test.hocon:1: 'a' has no value.")]
    [InlineData("= 1", "test.hocon:1: a key is missing before '='.")]
    [InlineData("a..b = 1", "test.hocon:1: a key is missing before '.'.")]
    [InlineData("a = b = c", "test.hocon:1: a second '=' stands in the value of 'a'; put the value in quotes.")]
    [InlineData("a = ${b", "test.hocon:1: '${' is never closed: a '}' is missing.")]
    [InlineData("a = \"\\q\"", "test.hocon:1: '\\q' is no escape; a backslash in a quoted string is written '\\\\'.")]
    [InlineData("a { b = 1 ] }", "test.hocon:1: ']' is not expected here: a line end, a comma or '}' is.")]
    [InlineData("{ a = 1 } b", "test.hocon:1: 'b' stands after the end of the configuration.")]
    public void A_mistake_is_a_sentence_with_its_line(string text, string expected)
        => Assert.Equal(expected, Assert.Throws<HoconSyntaxException>(() => Resolve(text)).Message);

    [Theory]
    [InlineData("", "a {", "opens a section or list more than 64 deep")]
    [InlineData("", "a = {", "opens a section or list more than 64 deep")]
    [InlineData("a = ", "[", "opens a section or list more than 64 deep")]
    [InlineData("", "a.", "more than 64 names")]
    public void What_is_nested_without_end_is_refused_and_does_not_exhaust_the_stack(string first, string opening, string expected) =>
        Assert.Contains(expected, Assert.Throws<HoconSyntaxException>(() => Resolve(first + string.Concat(Enumerable.Repeat(opening, 100_000)))).Message);

    /// <summary>The two readers agree on the subset that Akka's reads correctly.</summary>
    [Fact]
    public void Akkas_own_parser_reads_the_reference_alike()
    {
        var akka = Akka.Configuration.ConfigurationFactory.ParseString(Streaming.Hosting.Configuration.SettingsLoader.ReadReference());
        foreach (var key in Streaming.Hosting.Configuration.Keys.All)
        {
            var ours = Resolve(Streaming.Hosting.Configuration.SettingsLoader.ReadReference(), key.Path.Split('.'));
            if (ours is ConfigurationScalar scalar)
                Assert.Equal(akka.GetString(key.Path), scalar.Text.TrimEnd('\n')); // Akka's takes a last line's end off quoted text
        }
    }

    private static ConfigurationObject Resolve(string text)
        => HoconResolver.Resolve(HoconParser.Parse(text, "test.hocon", "/", _ => throw new InvalidOperationException()), _ => null);

    private static ConfigurationValue? Resolve(string text, params string[] path) => Resolve(text).Find(path);
}
