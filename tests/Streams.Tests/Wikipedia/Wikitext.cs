using System.Text;
using Streaming.Streams.Text;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Tests.Wikipedia;

/// <summary>Wikitext to lines in one call.</summary>
internal static class Wikitext
{
    public static WikitextOptions Everything { get; } = new() { Headings = HeadingStyle.Plain, KeepLists = true };

    public static string[] Lines(string wikitext, WikitextOptions? options = null)
    {
        var batch = new TextBatch();
        new WikitextExtractor(options ?? Everything).Extract(Encoding.UTF8.GetBytes(wikitext), "表題"u8, batch);
        Assert.Equal(0, batch.Pending.Length);
        return [.. Enumerable.Range(0, batch.Count).Select(index => batch[index].ToString())];
    }

    /// <summary>The lines with | between.</summary>
    public static string Text(string wikitext, WikitextOptions? options = null) => string.Join('|', Lines(wikitext, options));
}
