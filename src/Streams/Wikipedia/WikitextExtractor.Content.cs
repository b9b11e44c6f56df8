namespace Streaming.Streams.Wikipedia;

public sealed partial class WikitextExtractor
{
    /// <summary>Makes pieces of what a span with content leaves, the first one last.</summary>
    private void PushContent(ReadOnlySpan<byte> text, ReadOnlySpan<MarkupSpan> spans, int index)
    {
        ref readonly var span = ref spans[index];
        switch (span.Kind)
        {
            case MarkupKind.Link:
                PushLabel(text, spans, index);
                break;
            case MarkupKind.External:
                PushAddressLabel(text, spans, index);
                break;
            case MarkupKind.Template:
                PushTemplate(text, spans, index);
                break;
            case MarkupKind.Variant:
                PushVariant(text, spans, index);
                break;
            case MarkupKind.Reading:
                PushOrMark(text, Content(spans, index, span.ContentStart), OwnText.OpenParenthesis, OwnText.CloseParenthesis);
                break;
            default:
                throw new InvalidOperationException($"{span.Kind} has no content");
        }
    }

    /// <summary>The content of a span from a place on.</summary>
    private static Piece Content(ReadOnlySpan<MarkupSpan> spans, int index, int start)
    {
        var child = index + 1;
        while (child < spans[index].Next && spans[child].Start < start)
            child = spans[child].Next;
        return new Piece(start, spans[index].ContentEnd, child);
    }

    /// <summary>Pushes a piece without the white space around it, or marks its place where it is empty.</summary>
    private void PushOrMark(ReadOnlySpan<byte> text, Piece piece, OwnText before = OwnText.None, OwnText after = OwnText.None)
    {
        piece = Trim(text, piece);
        if (piece.IsEmpty)
        {
            _lines.MarkRemoval();
            return;
        }
        if (after != OwnText.None)
            Push(after);
        Push(piece);
        if (before != OwnText.None)
            Push(before);
    }

    private static Piece Trim(ReadOnlySpan<byte> text, Piece piece)
    {
        var (start, end) = (piece.Start, piece.End);
        while (start < end && text[start] is (byte)' ' or (byte)'\n' or (byte)'\t')
            start++;
        while (end > start && text[end - 1] is (byte)' ' or (byte)'\n' or (byte)'\t')
            end--;
        return piece with { Start = start, End = end };
    }

    private void PushLabel(ReadOnlySpan<byte> text, ReadOnlySpan<MarkupSpan> spans, int index)
    {
        ref readonly var span = ref spans[index];
        if (ExternalLinks.StartsWithProtocol(text[span.ContentStart..span.ContentEnd]))
        {
            PushAddressLabel(text, spans, index); // [[https://… label]]
            return;
        }
        var isPiped = span.FirstPipe >= 0;
        var label = Trim(text, Content(spans, index, isPiped ? span.LastPipe + 1 : span.ContentStart));
        if (isPiped && label.IsEmpty)
        {
            var (start, length) = PipeTrick.Label(text[span.ContentStart..span.FirstPipe]);
            label = Content(spans, index, span.ContentStart + start) with { End = span.ContentStart + start + length };
        }
        else if (!isPiped && !label.IsEmpty && text[label.Start] == (byte)':')
            label = label with { Start = label.Start + 1 };
        PushOrMark(text, label);
    }

    private void PushAddressLabel(ReadOnlySpan<byte> text, ReadOnlySpan<MarkupSpan> spans, int index)
    {
        ref readonly var span = ref spans[index];
        var place = span.ContentStart;
        var child = index + 1;
        while (true)
        {
            var end = child < span.Next ? spans[child].Start : span.ContentEnd;
            place += ExternalLinks.AddressLength(text[place..end]);
            // A template may be part of the address.
            if (place < end || child >= span.Next || spans[child].Kind is not (MarkupKind.Removed or MarkupKind.Template))
                break;
            place = spans[child].End;
            child = spans[child].Next;
        }
        PushOrMark(text, new Piece(place, span.ContentEnd, child));
    }

    private void PushVariant(ReadOnlySpan<byte> text, ReadOnlySpan<MarkupSpan> spans, int index)
    {
        ref readonly var span = ref spans[index];
        var start = span.ContentStart;
        if (span.FirstPipe >= 0)
        {
            // Rules for the page, its title, or to take a rule back: nothing is shown.
            var flags = text[start..span.FirstPipe].Trim((byte)' ');
            if (flags.Length is 1 or 3 && flags.IndexOfAny("HTD-"u8) >= 0)
            {
                _lines.MarkRemoval();
                return;
            }
            start = span.FirstPipe + 1;
        }
        var whole = Content(spans, index, start);
        var content = text[start..(whole.Span < span.Next ? spans[whole.Span].Start : span.ContentEnd)];
        var code = content.IndexOfAnyExcept(" \nabcdefghijklmnopqrstuvwxyz-"u8);
        if (code > 0 && content[code] == (byte)':')
        {
            // zh-hans:…; zh-hant:…: the first is as good as any.
            var end = content.IndexOf((byte)';');
            var piece = Content(spans, index, start + code + 1);
            PushOrMark(text, end < 0 ? piece : piece with { End = start + end });
            return;
        }
        PushOrMark(text, whole);
    }
}
