using System.Text;
using System.Text.Json;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;
using Streaming.Streams.Wikipedia;

namespace Streaming.Hosting.Tests.Commands;

public sealed class ExtractCommandSpec : IDisposable
{
    private const string Dump =
        """
        <mediawiki>
          <page><title>甲 "A"</title><ns>0</ns><id>1</id><revision><text>'''[[甲]]'''は
        == 概要 ==
        * 項目
        乙である。</text></revision></page>
          <page><title>丙</title><ns>0</ns><id>2</id><redirect title="甲" /><revision><text>#転送 [[甲]]</text></revision></page>
          <page><title>丁</title><ns>0</ns><id>3</id><revision><text>{{曖昧さ回避}}</text></revision></page>
          <page><title>戊</title><ns>0</ns><id>4</id><revision><text>己。</text></revision></page>
        </mediawiki>
        """;

    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Articles_are_lines_with_an_empty_one_after_each() =>
        Assert.Equal("甲は\n概要.\n乙である。\n\n己。\n\n", Run(new WikitextOptions(), ExtractCommand.Lines()));

    [Fact]
    public void Every_article_has_an_object_even_without_lines()
    {
        var objects = Run(new WikitextOptions { Headings = HeadingStyle.Plain, KeepLists = true }, ExtractCommand.Objects()).TrimEnd('\n').Split('\n');
        Assert.Equal("""{"id":"1","title":"甲 \"A\"","text":"甲は\n概要\n項目\n乙である。"}""", objects[0]);
        Assert.Equal(["1", "3", "4"], objects.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("id").GetString()));
        Assert.Equal("", JsonDocument.Parse(objects[1]).RootElement.GetProperty("text").GetString());
    }

    [Fact]
    public void A_dump_that_is_cut_short_is_a_sentence_after_what_could_be_read()
    {
        using var output = new MemoryStream();
        File.WriteAllText(_file, Dump[..^50]);
        var mistake = Assert.Throws<UserErrorException>(() => ExtractCommand.Run(_file, output, new WikitextOptions(), ExtractCommand.Lines()));
        Assert.Contains("cannot be read past page 3", Assert.Single(mistake.Sentences));
        Assert.Equal(1, mistake.ExitCode);
        Assert.Equal("甲は\n概要.\n乙である。\n\n", Encoding.UTF8.GetString(output.ToArray()));
    }

    [Theory]
    [InlineData("extract --kind cc100 x")]
    [InlineData("extract x")]
    [InlineData("extract --kind wikipedia --min-line-characters -1 x")]
    [InlineData("extract --kind wikipedia --headings bold x")]
    [InlineData("extract --kind wikipedia /nowhere/x.xml")]
    public async Task A_mistake_is_a_sentence(string line)
    {
        var errors = new StringWriter();
        Assert.InRange(await CommandLine.RunAsync(Root.Create(), line.Split(' '), new StringWriter(), errors), 1, 2);
        Assert.StartsWith("streaming: ", errors.ToString());
        Assert.DoesNotContain("   at ", errors.ToString());
    }

    private string Run(WikitextOptions options, ExtractCommand.Article article)
    {
        using var output = new MemoryStream();
        File.WriteAllText(_file, Dump);
        ExtractCommand.Run(_file, output, options, article);
        return Encoding.UTF8.GetString(output.ToArray());
    }
}
