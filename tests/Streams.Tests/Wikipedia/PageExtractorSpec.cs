using System.Text;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Tests.Wikipedia;

public sealed class PageExtractorSpec
{
    [Fact]
    public void An_article_has_number_title_and_lines()
    {
        var (kind, page) = Extract(Page("<title>A &amp; B</title><ns>0</ns><id>12</id>", "&lt;b&gt;甲&lt;/b&gt; &amp;amp; &#x4E59;\r\n丙"));
        Assert.Equal(PageKind.Article, kind);
        Assert.Equal(12, page.Id);
        Assert.Equal("A & B", page.Title.ToString());
        Assert.Equal(["甲 & 乙", "丙"], Lines(page));
    }

    [Theory]
    [InlineData("<title>a</title><ns>10</ns><id>1</id>", "x", PageKind.OtherNamespace)]
    [InlineData("<title>a</title><ns>-1</ns><id>1</id>", "x", PageKind.OtherNamespace)]
    [InlineData("<title>Template:a</title><id>1</id>", "x", PageKind.OtherNamespace)]
    [InlineData("<title>Re:a</title><id>1</id>", "x", PageKind.Article)]
    [InlineData("<title>a</title><ns>0</ns><id>1</id><redirect title=\"b\" />", "x", PageKind.Redirect)]
    [InlineData("<title>a</title><ns>0</ns><id>1</id>", "#REDIRECT [[b]]", PageKind.Redirect)]
    [InlineData("<title>a</title><ns>0</ns><id>1</id>", "\n#転送 [[b]]", PageKind.Redirect)]
    [InlineData("<title>a</title><ns>0</ns><id>1</id>", "＃リダイレクト[[b]]", PageKind.Redirect)]
    [InlineData("<title>a</title><ns>0</ns><id>1</id>", "# x", PageKind.Article)]
    [InlineData("<title>a</title><ns>0</ns><id>1</id>", "", PageKind.NoText)]
    public void Only_articles_are_taken(string head, string text, PageKind expected)
    {
        var (kind, page) = Extract(Page(head, text));
        Assert.Equal(expected, kind);
        Assert.Equal(kind == PageKind.Article && text == "x" ? 1 : 0, page.Lines.Count);
    }

    [Theory]
    [InlineData("<text bytes=\"5\" deleted=\"deleted\" />", PageKind.NoText)]
    [InlineData("<text bytes=\"0\" sha1=\"x\" xml:space=\"preserve\"></text>", PageKind.NoText)]
    [InlineData("<model>css</model><text>x</text>", PageKind.NoText)]
    [InlineData("<model>wikitext</model><format>text/x-wiki</format><text\n xml:space=\"preserve\">x</text>", PageKind.Article)]
    [InlineData("", PageKind.NoText)]
    public void Text_that_is_deleted_or_no_wikitext_is_passed_over(string revision, PageKind expected) =>
        Assert.Equal(expected, Extract($"<page><title>a</title><ns>0</ns><id>1</id><revision>{revision}</revision></page>").Kind);

    [Fact]
    public void Of_several_revisions_the_last_one_counts()
    {
        const string Xml = "<page>\n<title xml:space='preserve'>a</title>\n<ns> 0 </ns><id>7</id>"
            + "<revision><id>8</id><contributor><id>9</id></contributor><text>old</text></revision>"
            + "<revision><id>10</id><text>new</text></revision>\n</page >";
        var (_, page) = Extract(Xml);
        Assert.Equal(7, page.Id);
        Assert.Equal(["new"], Lines(page));
    }

    [Fact]
    public void What_is_missing_is_no_failure()
    {
        Assert.Equal(PageKind.NoText, Extract("<page></page>").Kind);
        Assert.Equal(PageKind.NoText, Extract("<page><revision><text>a</page>").Kind);
        var (kind, page) = Extract("<page><revision><text>a</text></revision></page>");
        Assert.Equal((PageKind.Article, 0, 0), (kind, page.Id, page.Title.Length));
    }

    [Fact]
    public void Short_lines_are_dropped_as_the_recipe_does()
    {
        var line = new string('あ', 18) + "🙂。";
        var (_, page) = Extract(Page("<title>a</title><ns>0</ns><id>1</id>", $"== 概要 ==\n{line[1..]}\n{line}"), new WikitextOptions { MinimumLineCharacters = 20 });
        Assert.Equal([line], Lines(page));
    }

    [Fact]
    public void A_second_page_allocates_nothing()
    {
        var xml = Encoding.UTF8.GetBytes(Page(
            "<title>a</title><ns>0</ns><id>1</id>",
            "'''[[東京|都]]'''（{{lang|en|[[Tokyo]]}}）&amp;nbsp;&lt;ref name=&quot;a&quot;&gt;b&lt;/ref&gt; {{読み仮名|a|b}} __TOC__\n== 概要 ==\n* {{x}}\n{|\n|a\n|}\n[http://a.jp b] 本文 ''c''"));
        var extractor = new PageExtractor(new WikitextOptions());
        var page = new WikiPage();
        for (var warm = 0; warm < 3; warm++)
            extractor.Extract(xml, page);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 100; round++)
            extractor.Extract(xml, page);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(["都（Tokyo） a（b）", "概要.", "b 本文 c"], Lines(page));
    }

    private static string Page(string head, string text) => $"<page>{head}<revision><id>5</id><text xml:space=\"preserve\">{text}</text></revision></page>";

    private static (PageKind Kind, WikiPage Page) Extract(string xml, WikitextOptions? options = null)
    {
        var page = new WikiPage();
        return (new PageExtractor(options ?? new WikitextOptions()).Extract(Encoding.UTF8.GetBytes(xml), page), page);
    }

    private static string[] Lines(WikiPage page) => [.. Enumerable.Range(0, page.Lines.Count).Select(index => page.Lines[index].ToString())];
}
