using System.Buffers.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>The fields of a page, still as XML.</summary>
internal ref struct PageFields
{
    public long Id { get; private set; }

    public ReadOnlySpan<byte> Title { get; private set; }

    /// <summary>Number of the namespace; null where the dump has none.</summary>
    public int? Namespace { get; private set; }

    public bool IsRedirect { get; private set; }

    /// <summary>False for stylesheets, data and other pages that are no wikitext.</summary>
    public bool IsWikitext { get; private set; }

    /// <summary>The text of the last revision; empty where it is deleted.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    /// <summary>Reads the fields. What is missing stays at its default.</summary>
    public static PageFields Read(ReadOnlySpan<byte> page)
    {
        var revision = page.IndexOf("<revision"u8);
        var head = revision < 0 ? page : page[..revision];
        var fields = new PageFields { IsWikitext = true };
        if (TryGet(head, "<title"u8, "</title"u8, out var title))
            fields.Title = title;
        if (TryGet(head, "<id"u8, "</id"u8, out var id) && Utf8Parser.TryParse(id.Trim(" \t\r\n"u8), out long number, out _))
            fields.Id = number;
        if (TryGet(head, "<ns"u8, "</ns"u8, out var name) && Utf8Parser.TryParse(name.Trim(" \t\r\n"u8), out int space, out _))
            fields.Namespace = space;
        fields.IsRedirect = FindTag(head, "<redirect"u8, out _) >= 0;
        if (revision < 0)
            return fields;
        // Text is escaped, so that the last tag is the last revision's.
        var last = page[page.LastIndexOf("<revision"u8)..];
        if (TryGet(last, "<model"u8, "</model"u8, out var model))
            fields.IsWikitext = model.SequenceEqual("wikitext"u8);
        if (TryGet(last, "<text"u8, "</text"u8, out var text))
            fields.Text = text;
        return fields;
    }

    /// <summary>The content of the first element of a name; false where there is none or it is an empty tag.</summary>
    private static bool TryGet(ReadOnlySpan<byte> xml, ReadOnlySpan<byte> open, ReadOnlySpan<byte> close, out ReadOnlySpan<byte> content)
    {
        content = default;
        var start = FindTag(xml, open, out var end);
        if (start < 0 || xml[end - 2] == (byte)'/')
            return false;
        var length = xml[end..].IndexOf(close);
        if (length < 0)
            return false;
        content = xml.Slice(end, length);
        return true;
    }

    /// <summary>The place of a tag and the one after it; -1 where there is none.</summary>
    private static int FindTag(ReadOnlySpan<byte> xml, ReadOnlySpan<byte> open, out int end)
    {
        end = 0;
        for (var place = 0; ;)
        {
            var next = xml[place..].IndexOf(open);
            if (next < 0)
                return -1;
            place += next;
            var after = place + open.Length;
            if (after < xml.Length && xml[after] is (byte)'>' or (byte)'/' or <= (byte)' ')
            {
                var length = xml[after..].IndexOf((byte)'>');
                end = after + length + 1;
                return length < 0 ? -1 : place;
            }
            place = after;
        }
    }
}
