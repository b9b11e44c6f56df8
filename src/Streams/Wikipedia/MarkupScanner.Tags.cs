namespace Streaming.Streams.Wikipedia;

internal sealed partial class MarkupScanner
{
    private int Tag(ReadOnlySpan<byte> text, int place)
    {
        var rest = text[place..];
        if (rest.StartsWith("<!--"u8))
            return Comment(text, place);
        var isClosing = rest.StartsWith("</"u8);
        var nameStart = place + (isClosing ? 2 : 1);
        var nameEnd = nameStart;
        while (nameEnd < text.Length && nameEnd - nameStart <= HtmlTags.LongestName && char.IsAsciiLetterOrDigit((char)text[nameEnd]))
            nameEnd++;
        if (nameEnd == nameStart)
            return place + 1;
        var kind = HtmlTags.Find(text[nameStart..nameEnd], out var number);
        if (kind == TagKind.Unknown)
            return place + 1;
        // A tag ends at its bracket. One that another tag interrupts is broken and ends there; it is no text either.
        var length = text[nameEnd..].IndexOfAny((byte)'>', (byte)'<');
        if (length < 0)
        {
            Add(MarkupKind.Silent, place, nameEnd);
            return nameEnd;
        }
        var end = nameEnd + length;
        var isBroken = text[end] == (byte)'<';
        if (isBroken)
        {
            Add(MarkupKind.Silent, place, nameEnd);
            return nameEnd;
        }
        var isEmpty = text[..end].TrimEnd(" \t\n"u8) is [.., (byte)'/'];
        end++;
        if (kind == TagKind.List)
            kind = keepLists ? TagKind.Block : TagKind.Element;
        return kind switch
        {
            TagKind.Inline => Replace(MarkupKind.Silent),
            TagKind.Space => Replace(MarkupKind.Space),
            TagKind.Block => Replace(MarkupKind.LineBreak),
            _ when isClosing => CloseElement(text, place, end, number),
            _ when isEmpty => Replace(kind == TagKind.Opaque ? MarkupKind.Removed : MarkupKind.Silent),
            TagKind.Opaque or TagKind.NoWiki => Content(text, place, end, kind, number, text[nameStart..nameEnd]),
            _ => OpenElement(place, end, number),
        };

        int Replace(MarkupKind by)
        {
            Add(by, place, end);
            return end;
        }
    }

    private int Comment(ReadOnlySpan<byte> text, int place)
    {
        // One that is not closed goes on to the end of the page.
        var length = text[(place + 4)..].IndexOf("-->"u8);
        var end = length < 0 ? text.Length : place + 4 + length + 3;
        Add(MarkupKind.Removed, place, end);
        return end;
    }

    /// <summary>A tag whose content is no wikitext.</summary>
    private int Content(ReadOnlySpan<byte> text, int place, int contentStart, TagKind kind, byte number, ReadOnlySpan<byte> name)
    {
        var end = 0;
        var contentEnd = _hasNoClosingTag[number] ? -1 : FindClosingTag(text, contentStart, name, out end);
        if (contentEnd < 0)
        {
            _hasNoClosingTag[number] = true;
            Add(MarkupKind.Silent, place, contentStart);
            return contentStart;
        }
        ref var span = ref Add(kind == TagKind.NoWiki ? MarkupKind.NoWiki : MarkupKind.Removed, place, end);
        (span.ContentStart, span.ContentEnd) = (contentStart, contentEnd);
        return end;
    }

    private static int FindClosingTag(ReadOnlySpan<byte> text, int place, ReadOnlySpan<byte> name, out int end)
    {
        while (true)
        {
            var next = text[place..].IndexOf("</"u8);
            if (next < 0)
            {
                end = 0;
                return -1;
            }
            place += next + 2;
            end = place + name.Length;
            if (end > text.Length || !System.Text.Ascii.EqualsIgnoreCase(text[place..end], name))
                continue;
            while (end < text.Length && text[end] is (byte)' ' or (byte)'\t' or (byte)'\n')
                end++;
            if (end < text.Length && text[end++] == (byte)'>')
                return place - 2;
        }
    }

    private int OpenElement(int place, int end, byte number)
    {
        Open(OpenKind.Element, place, end - place, number);
        return end;
    }

    private int CloseElement(ReadOnlySpan<byte> text, int place, int end, byte number)
    {
        if (_open.CountTag(number) == 0)
        {
            Add(MarkupKind.Silent, place, end);
            return end;
        }
        while (!(_open.IsTop(OpenKind.Element) && _open.Top.Tag == number))
            Abandon(text);
        Close(number == _readingTag ? MarkupKind.Reading : MarkupKind.Removed, place, end);
        return end;
    }

    private static readonly byte _readingTag = HtmlTags.Find("rt"u8, out var number) == TagKind.Reading ? number : throw new InvalidOperationException("rt is no tag");
}
