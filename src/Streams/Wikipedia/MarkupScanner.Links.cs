namespace Streaming.Streams.Wikipedia;

internal sealed partial class MarkupScanner
{
    private int OpenBrackets(ReadOnlySpan<byte> text, int place)
    {
        var run = Run(text, place);
        var end = place + run;
        // Of an odd number the first one is text: [[[a]]] reads [a].
        if (run % 2 == 1)
        {
            if (run == 1 && ExternalLinks.StartsWithProtocol(text[end..]))
                Open(OpenKind.External, place, length: 1);
            else if (_open.IsTop(OpenKind.Link))
                _open.Top = _open.Top with { HasBracket = true };
            place++;
        }
        for (; place < end; place += 2)
            Open(OpenKind.Link, place, length: 2);
        return end;
    }

    private int CloseBrackets(ReadOnlySpan<byte> text, int place)
    {
        var run = Run(text, place);
        var end = place + run;
        while (run > 0)
        {
            var closesExternal = _open.IsTop(OpenKind.External) && (run != 2 || _open.Count(OpenKind.Link) == 0);
            if (closesExternal && AreOnOneLine(text, _spans[_open.Top.Span].Start, place))
            {
                Close(MarkupKind.External, place, place + 1);
                place++;
                run--;
            }
            else if (run >= 2 && _open.Count(OpenKind.Link) > 0)
            {
                AbandonUpTo(text, OpenKind.Link);
                // The first of three closes a bracket in the label: [[a|[b]]].
                var shift = run == 3 && _open.Top.HasBracket ? 1 : 0;
                CloseLink(text, place + shift);
                place += 2 + shift;
                run -= 2 + shift;
            }
            else if (closesExternal)
                Abandon(text); // an address ends with its line
            else if (run >= 2)
            {
                Add(MarkupKind.Silent, place, place + 2);
                place += 2;
                run -= 2;
            }
            else
            {
                run = 0;
            }
        }
        return end;
    }

    private void CloseLink(ReadOnlySpan<byte> text, int contentEnd)
    {
        ref var span = ref _spans[_open.Top.Span];
        var targetEnd = span.FirstPipe < 0 ? contentEnd : span.FirstPipe;
        var isRemoved = contentEnd == span.ContentStart || IsInvisible(text[span.ContentStart..targetEnd]);
        Close(isRemoved ? MarkupKind.Removed : MarkupKind.Link, contentEnd, contentEnd + 2);
    }

    private static bool IsInvisible(ReadOnlySpan<byte> target)
    {
        // A link in visible brackets, [[:ファイル:…]], is text.
        target = target.TrimStart(" \n\t_"u8);
        return LinkTargets.Classify(target) is LinkPrefix.Invisible or LinkPrefix.Language;
    }

    /// <summary>Whether two places lie on one line. Asked for places that grow, so that each byte is looked at once.</summary>
    private bool AreOnOneLine(ReadOnlySpan<byte> text, int earlier, int place)
    {
        var lineFeed = text[_lineScanned..place].LastIndexOf((byte)'\n');
        if (lineFeed >= 0)
            _lineStart = _lineScanned + lineFeed + 1;
        _lineScanned = place;
        return earlier >= _lineStart;
    }
}
