using System.Text;
using CsCheck;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Tests.Wikipedia;

public sealed class WikiPageReaderSpec
{
    private const string Head = "<mediawiki xml:lang=\"ja\">\n  <siteinfo>\n    <sitename>Wikipedia</sitename>\n  </siteinfo>\n";
    private const string Tail = "</mediawiki>\n";

    [Fact]
    public void Pages_are_cut_from_tag_to_tag() => Assert.Equal(
        ["<page>\n<title>甲</title></page>", "<page a=\"b\">乙</page >", "<page></page>"],
        Read(Head + "  <page>\n<title>甲</title></page>\n<page a=\"b\">乙</page ><pages/><page></page>" + Tail));

    [Fact]
    public void A_page_is_found_wherever_the_stream_is_cut_and_again_from_its_offset()
    {
        var pages = Enumerable.Range(0, 7).Select(i => $"<page>{new string('猫', i * 5)}&lt;page></page>").ToArray();
        var dump = Encoding.UTF8.GetBytes(Head + string.Join("\n ", pages) + Tail);
        for (var size = 1; size < 40; size++)
        {
            var reader = new WikiPageReader(new Trickle(dump, size));
            for (var number = 0; number < pages.Length; number++)
            {
                var again = new WikiPageReader(new MemoryStream(dump, (int)reader.Offset, dump.Length - (int)reader.Offset), reader.Offset);
                Assert.True(again.TryRead(out var page));
                Assert.Equal(pages[number], Encoding.UTF8.GetString(page));
                Assert.True(reader.TryRead(out page));
                Assert.Equal(pages[number], Encoding.UTF8.GetString(page));
                Assert.Equal(again.Offset, reader.Offset);
            }
            Assert.False(reader.TryRead(out _));
        }
    }

    [Theory]
    [InlineData("utf-16")]
    [InlineData("utf-16BE")]
    public void Utf16_is_read_as_utf8_with_offsets_of_the_source(string name)
    {
        var encoding = Encoding.GetEncoding(name);
        byte[] dump = [.. encoding.GetPreamble(), .. encoding.GetBytes(Head + "<page>猫🙂</page>\r\n<page>é</page>" + Tail)];
        var reader = new WikiPageReader(new Trickle(dump, 3));
        Assert.True(reader.TryRead(out var page));
        Assert.Equal("<page>猫🙂</page>", Encoding.UTF8.GetString(page));
        var rest = encoding.GetString(dump.AsSpan((int)reader.Offset));
        Assert.StartsWith("\r\n<page>é", rest);

        var start = reader.Offset + 4;
        var again = new WikiPageReader(new MemoryStream(dump[(int)start..]), start);
        Assert.True(again.TryRead(out page));
        Assert.Equal("<page>é</page>", Encoding.UTF8.GetString(page));
        Assert.True(reader.TryRead(out _));
        Assert.Equal(again.Offset, reader.Offset);
    }

    [Fact]
    public void A_page_past_the_limit_is_passed_over_and_counted()
    {
        var dump = Encoding.UTF8.GetBytes(Head + $"<page>a</page><page>{new string('b', 3_000_000)}</page><page>c</page><page>{new string('d', 950)}</page>" + Tail);
        var reader = new WikiPageReader(new MemoryStream(dump), 0, longestPage: 1000);
        Assert.True(reader.TryRead(out _));
        Assert.True(reader.TryRead(out var page));
        Assert.Equal("<page>c</page>", Encoding.UTF8.GetString(page));
        Assert.True(reader.TryRead(out page));
        Assert.Equal(963, page.Length);
        Assert.False(reader.TryRead(out _));
        Assert.Equal((3, 1), (reader.Pages, reader.LongPages));
    }

    [Theory]
    [InlineData(Head + "<page>a</page>\n<page>b</pa", "last page")]
    [InlineData(Head + "<page>a</page>\n<page", "last tag")]
    [InlineData(Head + "<page>a</page>\n", "last tag")]
    [InlineData("<html></html>", "no MediaWiki export")]
    [InlineData("", "no MediaWiki export")]
    public void A_dump_that_is_cut_short_is_refused(string dump, string expected) =>
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => Read(dump)).Message);

    [Fact]
    public void Pages_alone_and_a_dump_without_pages_are_dumps()
    {
        Assert.Single(Read("<page>a</page>\n"));
        Assert.Empty(Read(Head + Tail));
        Assert.Equal(2, Read(Head + "<page>a</page>" + Tail + Head + "<page>a</page>" + Tail).Count);
    }

    [Fact]
    public void Any_bytes_end_or_are_refused() => Gen.OneOf("<page>", "</page>", "<page", "</mediawiki>", "<mediawiki>", "a", ">", "\0").Array[0, 20].Sample(parts =>
    {
        try
        {
            Read(string.Concat(parts));
        }
        catch (InvalidDataException)
        {
        }
    });

    private static List<string> Read(string dump)
    {
        var reader = new WikiPageReader(new MemoryStream(Encoding.UTF8.GetBytes(dump)));
        var pages = new List<string>();
        while (reader.TryRead(out var page))
            pages.Add(Encoding.UTF8.GetString(page));
        return pages;
    }

    /// <summary>A stream that yields a few bytes at a time.</summary>
    private sealed class Trickle(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(size, buffer.Length)]);

        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(size, count));
    }
}
