using System.Text.RegularExpressions;
using Streaming.Streams.Sources;
using Streaming.Streams.Wikipedia;
using Streaming.Tests;

namespace Streaming.Streams.Tests.Wikipedia;

public sealed class WikipediaSampleSpec
{
    // Articles as WikiExtractor 3.0.7 counts them once redirects are left out.
    [Theory]
    [InlineData("enwiki-sample", 206, 106)]
    [InlineData("enwiki-table-markup", 5, 5)]
    [InlineData("bgwiki-sample", 3, 1)]
    public void Real_dumps_leave_their_articles_without_markup(string name, int pages, int articles)
    {
        using var dump = Open(name);
        var extractor = new PageExtractor(new WikitextOptions { KeepLists = true });
        var page = new WikiPage();
        var count = 0;
        while (dump.TryRead(out var xml))
        {
            if (extractor.Extract(xml, page) != PageKind.Article)
                continue;
            count++;
            var title = page.Title.ToString();
            for (var index = 0; index < page.Lines.Count; index++)
            {
                var line = page.Lines[index].ToString();
                Assert.False(Regex.IsMatch(line, @"\{\{|\}\}|\[\[|\]\]|\{\||^\||''|</?(ref|br|div|span|nowiki|small|sup)\b|<!--|__[A-Z]+__|&(amp|nbsp|lt|gt|quot|ndash);"), $"{title}: {line}");
                Assert.Equal(line.Trim(), line);
            }
        }
        Assert.Equal((pages, articles, 0), (dump.Pages, count, dump.LongPages));
    }

    [Theory]
    [InlineData("Anarchism", 12, "Anarchism is a political philosophy that advocates self-governed societies based on voluntary institutions.")]
    [InlineData("Alabama", 303, "Alabama is a state located in the southeastern region of the United States.")]
    [InlineData("Aristotle", 308, "Aristotle (Ἀριστοτέλης, Aristotélēs; 384–322 BC) was a Greek philosopher and scientist")]
    public void An_article_begins_as_a_reader_sees_it(string title, long id, string beginning)
    {
        using var dump = Open("enwiki-sample");
        var extractor = new PageExtractor(new WikitextOptions { MinimumLineCharacters = LineRules.RecipeMinimumCharacters });
        var page = new WikiPage();
        while (dump.TryRead(out var xml))
        {
            if (extractor.Extract(xml, page) != PageKind.Article || page.Id != id)
                continue;
            Assert.Equal(title, page.Title.ToString());
            Assert.StartsWith(beginning, page.Lines[0].ToString());
            return;
        }
        Assert.Fail($"{title} is not in the dump");
    }

    private static WikiDump Open(string name) => new(SourceList.Expand([ReferenceData.Path($"wikipedia/{name}.xml.bz2")])[0]);
}
