using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Streaming.Streams.Text;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Tests.Wikipedia;

public sealed class HostileWikitextSpec
{
    private static readonly string[] Pieces =
    [
        "{{", "}}", "{{{", "}}}", "[[", "]]", "[", "]", "{|", "|}", "\n{|", "\n|}", "|", "\n", "=", "==", "*", ":", "'", "''", "'''", "'''''",
        "<ref>", "</ref>", "<ref name=a/>", "<!--", "-->", "<nowiki>", "</nowiki>", "<table>", "</table>", "<ul>", "</ul>", "<rt>", "</rt>",
        "<br", "<", ">", "&amp;", "&", ";", "-{", "}-", "[http://a.jp", " ", "_", "__", "__TOC__", "（", "）", "(", ")", "、", "lang|en|", "File:",
        "読み仮名|", "仮リンク|", "label=", "convert|", "Category:", "en:", "a", "漢字", "🙂", "\u00A0", "quote|",
    ];

    private static readonly Gen<string> AnyWikitext =
        Gen.Int[0, Pieces.Length - 1].Array[0, 60].Select(picks => string.Concat(picks.Select(pick => Pieces[pick])));

    [Fact]
    public void Any_text_becomes_lines_without_white_space_at_their_ends() => AnyWikitext.Sample(
        wikitext =>
        {
            foreach (var line in Wikitext.Lines(wikitext))
            {
                Assert.NotEmpty(line);
                Assert.Equal(string.Join(' ', line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), line);
            }
        },
        iter: 2_000);

    [Fact]
    public void Any_bytes_are_taken() => Gen.Byte.Array[0, 200].Sample(bytes =>
        new WikitextExtractor(Wikitext.Everything).Extract(bytes, default, new TextBatch()));

    [Fact]
    public void Delimiters_never_stay_outside_of_nowiki() => AnyWikitext.Sample(
        wikitext =>
        {
            if (wikitext.Contains("nowiki", StringComparison.Ordinal) || wikitext.Contains('&'))
                return;
            var text = string.Join('\n', Wikitext.Lines(wikitext));
            foreach (var delimiter in new[] { "{{", "[[", "{|", "''", "<ref", "<!--" })
                Assert.DoesNotContain(delimiter, text);
        },
        iter: 2_000);

    [Fact]
    public void An_extractor_makes_the_same_of_a_page_whatever_it_saw_before()
    {
        var extractor = new WikitextExtractor(Wikitext.Everything);
        AnyWikitext.Sample(
            wikitext =>
            {
                var batch = new TextBatch();
                lock (extractor)
                    extractor.Extract(Encoding.UTF8.GetBytes(wikitext), "表題"u8, batch);
                Assert.Equal(Wikitext.Lines(wikitext), Enumerable.Range(0, batch.Count).Select(index => batch[index].ToString()));
            },
            iter: 1_000);
    }

    private static Gen<string> Balanced(int depth)
    {
        if (depth == 0)
            return Gen.OneOf("a", "漢字", " ", "、", "\n", "<br/>", "__TOC__");
        var inner = Balanced(depth - 1);
        return Gen.OneOf(
            inner,
            inner.Select(text => $"{{{{x|{text}}}}}"),
            inner.Select(text => $"{{{{lang|en|{text}}}}}"),
            inner.Select(text => $"[[a|{text}]]"),
            inner.Select(text => $"[[File:a.png|{text}]]"),
            inner.Select(text => $"<ref>{text}</ref>"),
            inner.Select(text => $"\n{{|\n|{text}\n|}}\n"),
            inner.Select(text => $"''{text}''"),
            Gen.Select(inner, inner, (first, second) => first + second));
    }

    [Fact]
    public void Balanced_markup_leaves_none() => Balanced(6).Sample(wikitext =>
    {
        // A reference ends at the first closing tag: one within another leaves its end and what follows as text.
        if (!Regex.IsMatch(wikitext, "<ref>((?!</ref>).)*<ref>", RegexOptions.Singleline))
            Assert.DoesNotMatch(@"[{}|\[\]<>]|''", string.Concat(Wikitext.Lines(wikitext)));
    });

    [Theory]
    [InlineData("{{", "")]
    [InlineData("[[", "")]
    [InlineData("[[a|", "")]
    [InlineData("[[File:a|", "")]
    [InlineData("{{lang|en|", "")]
    [InlineData("{{lang|en|", "}}")]
    [InlineData("[[a|", "]]")]
    [InlineData("{{a|", "}}")]
    [InlineData("\n{|\n|", "\n|}")]
    [InlineData("{|", "")]
    [InlineData("[http://a ", "")]
    [InlineData("[http://a ", "]")]
    [InlineData("-{a:", "}-")]
    [InlineData("-{", "|}-")]
    [InlineData("<ref>", "")]
    [InlineData("<ref>a</re", "")]
    [InlineData("<table>", "</table>")]
    [InlineData("<rt>a", "</rt>")]
    [InlineData("<div ", "")]
    [InlineData("<!--", "")]
    [InlineData("<nowiki>", "")]
    [InlineData("'''a''", "")]
    [InlineData("（{{a}}、", "）")]
    [InlineData("({{a}})", "")]
    [InlineData("、{{a}}", "")]
    [InlineData("&amp;", "")]
    [InlineData("&", "")]
    [InlineData("__", "")]
    [InlineData("]]", "")]
    [InlineData("}}", "")]
    [InlineData("[[a]", "")]
    [InlineData("{{読み仮名|a|", "|b}}")]
    [InlineData("[[{{a", "]]")]
    [InlineData("{{[[", "}}")]
    [InlineData("== a", " ==\n")]
    [InlineData("{{quote|[[a|", "]]}}")]
    [InlineData("<ul>{{", "</ul>")]
    public void Nesting_without_end_takes_linear_time_and_no_stack(string open, string close)
    {
        // A quadratic step would take minutes. 20 s is a hundred times what it takes on one core.
        const int Depth = 50_000;
        var wikitext = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(open, Depth)) + "x" + string.Concat(Enumerable.Repeat(close, Depth)));
        var extractor = new WikitextExtractor(Wikitext.Everything);
        var began = Stopwatch.GetTimestamp();
        var thread = new Thread(() => extractor.Extract(wikitext, default, new TextBatch()), maxStackSize: 128 << 10);
        thread.Start();
        Assert.True(thread.Join(TimeSpan.FromSeconds(20)), "still at it after 20 s");
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 20);
    }
}
