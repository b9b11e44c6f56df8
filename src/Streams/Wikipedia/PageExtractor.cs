using Streaming.Streams.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>What a page of a dump is.</summary>
public enum PageKind
{
    /// <summary>An article: its lines were added.</summary>
    Article,

    Redirect,

    /// <summary>A page of another namespace: a talk page, a template, a category.</summary>
    OtherNamespace,

    /// <summary>Its text is deleted, not in the dump, or no wikitext.</summary>
    NoText,
}

/// <summary>
/// Turns the XML of a page into lines of plain text. Allocates nothing once its buffers have grown. Not thread-safe: one a
/// worker.
/// </summary>
public sealed class PageExtractor(WikitextOptions options)
{
    private readonly WikitextExtractor _wikitext = new(options);
    private byte[] _text = new byte[1 << 16];
    private byte[] _title = new byte[1 << 8];

    /// <summary>Reads a page; of an article, <paramref name="page"/> receives number, title and lines, of others nothing.</summary>
    /// <param name="xml">From <c>&lt;page&gt;</c> to <c>&lt;/page&gt;</c>, as <see cref="WikiPageReader"/> cuts it.</param>
    public PageKind Extract(ReadOnlySpan<byte> xml, WikiPage page)
    {
        page.Lines.Clear();
        var kind = Extract(xml, page.Lines, out var id, out var titleLength);
        page.Id = id;
        page.SetTitle(_title.AsSpan(0, titleLength));
        return kind;
    }

    /// <summary>Adds the lines of a page to <paramref name="lines"/>, which has no unfinished line; none for what is no article.</summary>
    /// <param name="xml">From <c>&lt;page&gt;</c> to <c>&lt;/page&gt;</c>.</param>
    public PageKind Extract(ReadOnlySpan<byte> xml, TextBatch lines) => Extract(xml, lines, out _, out _);

    private PageKind Extract(ReadOnlySpan<byte> xml, TextBatch lines, out long id, out int titleLength)
    {
        var fields = PageFields.Read(xml);
        id = fields.Id;
        titleLength = Decode(fields.Title, ref _title);
        var title = _title.AsSpan(0, titleLength);
        // Dumps of before 2012 have no number of the namespace.
        var isArticle = fields.Namespace is { } number ? number == 0 : LinkTargets.Classify(title) is not (LinkPrefix.Invisible or LinkPrefix.Other);
        if (!isArticle)
            return PageKind.OtherNamespace;
        if (fields.IsRedirect)
            return PageKind.Redirect;
        if (!fields.IsWikitext || fields.Text.IsEmpty)
            return PageKind.NoText;
        var length = Decode(fields.Text, ref _text);
        var text = _text.AsSpan(0, length);
        if (Redirects.IsRedirect(text))
            return PageKind.Redirect;
        _wikitext.Extract(text, title, lines);
        return PageKind.Article;
    }

    private static int Decode(ReadOnlySpan<byte> xml, ref byte[] text)
    {
        if (text.Length < xml.Length)
            text = new byte[Math.Max(xml.Length, text.Length * 2)];
        return XmlText.Decode(xml, text);
    }
}
