using System.Buffers;

namespace Streaming.Streams.Wikipedia;

/// <summary>
/// Finds the spans of a wikitext: one walk over its delimiters with a stack of what is open, in linear time whatever the
/// nesting. A closing delimiter closes the nearest opening one of its kind; what was opened within and not closed is no
/// markup. Not thread-safe.
/// </summary>
internal sealed partial class MarkupScanner(bool keepLists)
{
    private static readonly SearchValues<byte> Delimiters = SearchValues.Create("{}[]<|"u8);

    private readonly OpenMarkup _open = new();
    private readonly bool[] _hasNoClosingTag = new bool[HtmlTags.Count];
    private MarkupSpan[] _spans = new MarkupSpan[256];
    private int _count;
    private int _taken; // bytes up to the end of the delimiter before
    private int _lineStart; // of the line that _lineScanned lies in
    private int _lineScanned;

    /// <summary>The spans of the text, in order; valid until the next call.</summary>
    public ReadOnlySpan<MarkupSpan> Scan(ReadOnlySpan<byte> text)
    {
        _count = _lineStart = _lineScanned = 0;
        _open.Clear();
        Array.Clear(_hasNoClosingTag);
        var place = 0;
        while (true)
        {
            var next = text[place..].IndexOfAny(Delimiters);
            if (next < 0)
                break;
            _taken = place;
            place += next;
            place = text[place] switch
            {
                (byte)'{' => OpenBraces(text, place),
                (byte)'}' => CloseBraces(text, place),
                (byte)'[' => OpenBrackets(text, place),
                (byte)']' => CloseBrackets(text, place),
                (byte)'<' => Tag(text, place),
                _ => Pipe(text, place),
            };
        }
        while (_open.Depth > 0)
            Abandon(text);
        return _spans.AsSpan(0, _count);
    }

    private int OpenBraces(ReadOnlySpan<byte> text, int place)
    {
        var run = Run(text, place);
        var end = place + run;
        if (run == 1)
        {
            if (end < text.Length && text[end] == (byte)'|')
            {
                Open(OpenKind.Table, place, length: 2);
                return end + 1;
            }
            if (place > 0 && text[place - 1] == (byte)'-' && place > _taken)
                Open(OpenKind.Variant, place - 1, length: 2);
            return end;
        }
        // An odd brace belongs to the innermost pair: {{{{{1}}}…}}.
        for (; run >= 4 || run == 2; run -= 2, place += 2)
            Open(OpenKind.Template, place, length: 2);
        if (run == 3)
            Open(OpenKind.Template, place, length: 3);
        return end;
    }

    private int CloseBraces(ReadOnlySpan<byte> text, int place)
    {
        var run = Run(text, place);
        var end = place + run;
        while (run >= 2 && _open.Count(OpenKind.Template) > 0)
        {
            AbandonUpTo(text, OpenKind.Template);
            ref var span = ref _spans[_open.Top.Span];
            var length = Math.Min(run, span.ContentStart - span.Start);
            CloseTemplate(text, place, place + length);
            place += length;
            run -= length;
        }
        for (; run >= 2; run -= 2, place += 2)
            Add(MarkupKind.Silent, place, place + 2);
        if (run == 1 && _open.IsTop(OpenKind.Variant) && end < text.Length && text[end] == (byte)'-')
        {
            Close(MarkupKind.Variant, place, end + 1);
            return end + 1;
        }
        return end;
    }

    private void CloseTemplate(ReadOnlySpan<byte> text, int contentEnd, int end)
    {
        ref var span = ref _spans[_open.Top.Span];
        var isArgument = span.ContentStart - span.Start == 3 && end - contentEnd == 3;
        var nameEnd = span.FirstPipe < 0 ? contentEnd : span.FirstPipe;
        var leaves = isArgument ? TemplateText.Nothing : TextTemplates.Find(text[span.ContentStart..nameEnd]);
        span.Template = leaves;
        Close(leaves == TemplateText.Nothing ? MarkupKind.Removed : MarkupKind.Template, contentEnd, end);
    }

    private int Pipe(ReadOnlySpan<byte> text, int place)
    {
        var closesTable = place + 1 < text.Length && text[place + 1] == (byte)'}'
            && _open.Count(OpenKind.Table) > 0
            && (_open.IsTop(OpenKind.Table) || (IsLineStart(text, place) && !text[(place + 1)..].StartsWith("}}"u8)));
        if (closesTable)
        {
            AbandonUpTo(text, OpenKind.Table);
            Close(MarkupKind.Removed, place, place + 2);
            return place + 2;
        }
        if (_open.Depth > 0)
        {
            ref var span = ref _spans[_open.Top.Span];
            if (span.FirstPipe < 0)
                span.FirstPipe = place;
            span.LastPipe = place;
        }
        else if (place + 1 < text.Length && text[place + 1] == (byte)'}' && !text[(place + 1)..].StartsWith("}}"u8))
        {
            Add(MarkupKind.Silent, place, place + 2);
            return place + 2;
        }
        return place + 1;
    }

    private void Open(OpenKind kind, int place, int length, byte tag = 0)
    {
        _open.Push(new OpenEntry(kind, tag, _count));
        ref var span = ref Add(MarkupKind.Text, place, place + length);
        span.ContentStart = place + length;
    }

    /// <summary>Closes the innermost. What leaves nothing needs no spans within.</summary>
    private void Close(MarkupKind kind, int contentEnd, int end)
    {
        var index = _open.Pop().Span;
        ref var span = ref _spans[index];
        (span.Kind, span.ContentEnd, span.End) = (kind, contentEnd, end);
        if (kind is MarkupKind.Removed or MarkupKind.Silent)
            _count = index + 1;
        span.Next = _count;
    }

    private void AbandonUpTo(ReadOnlySpan<byte> text, OpenKind kind)
    {
        while (_open.Top.Kind != kind)
            Abandon(text);
    }

    /// <summary>Takes the innermost for what it is without a partner.</summary>
    private void Abandon(ReadOnlySpan<byte> text)
    {
        var entry = _open.Pop();
        ref var span = ref _spans[entry.Span];
        span.Kind = entry.Kind switch
        {
            OpenKind.Table when IsLineStart(text, span.Start) => MarkupKind.BrokenTable,
            OpenKind.Link when IsInvisible(text[span.ContentStart..]) => MarkupKind.BrokenLink,
            OpenKind.External or OpenKind.Variant => MarkupKind.Text,
            _ => MarkupKind.Silent,
        };
    }

    private ref MarkupSpan Add(MarkupKind kind, int start, int end)
    {
        if (_count == _spans.Length)
            Array.Resize(ref _spans, _count * 2);
        ref var span = ref _spans[_count++];
        span = new MarkupSpan { Kind = kind, Start = start, End = end, ContentStart = start, ContentEnd = end, FirstPipe = -1, LastPipe = -1, Next = _count };
        return ref span;
    }

    private static int Run(ReadOnlySpan<byte> text, int place)
    {
        var run = text[place..].IndexOfAnyExcept(text[place]);
        return run < 0 ? text.Length - place : run;
    }

    /// <summary>Whether only blanks, indentation and the end of other markup stand before a place on its line.</summary>
    private static bool IsLineStart(ReadOnlySpan<byte> text, int place)
    {
        while (place > 0 && text[place - 1] is (byte)' ' or (byte)'\t' or (byte)':')
            place--;
        return place == 0 || text[place - 1] is (byte)'\n' or (byte)'>' or (byte)'}';
    }
}
