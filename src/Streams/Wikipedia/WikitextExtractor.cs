using System.Buffers;
using Streaming.Streams.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>
/// Turns the wikitext of a page into lines of plain text. Time is linear in the text and the stack does not grow with its
/// nesting; nothing is allocated once the buffers have grown. Not thread-safe: one a worker.
/// </summary>
public sealed partial class WikitextExtractor
{
    private static readonly SearchValues<byte> Inline = SearchValues.Create("\n'&_"u8);

    private readonly MarkupScanner _scanner;
    private readonly LineAssembler _lines;
    private Piece[] _pieces = new Piece[64]; // what is still to be written, the next one last
    private int _pieceCount;

    public WikitextExtractor(WikitextOptions options)
    {
        _scanner = new MarkupScanner(options.KeepLists);
        _lines = new LineAssembler(options);
    }

    /// <summary>A stretch of the text, or a text of ours.</summary>
    /// <param name="Own">For a text of ours: which. <see cref="OwnText.None"/> for a stretch.</param>
    /// <param name="Span">Index of the first span that begins at <paramref name="Start"/> or later.</param>
    private readonly record struct Piece(OwnText Own, int Start, int End, int Span)
    {
        public Piece(int start, int end, int span) : this(OwnText.None, start, end, span) { }

        public bool IsEmpty => End <= Start;
    }

    /// <summary>Texts that stand in no wikitext.</summary>
    private enum OwnText : byte { None, LineEnd, Title, OpenParenthesis, CloseParenthesis, Comma, Blank, Dash, MiddleDot, Apostrophe, EqualsSign }

    /// <summary>Adds the lines of a page's text to <paramref name="lines"/>, each as one complete line with its white space folded.</summary>
    /// <param name="wikitext">As an editor sees it, UTF-8; invalid sequences become U+FFFD.</param>
    /// <param name="title">Stands for <c>{{PAGENAME}}</c>, UTF-8.</param>
    /// <param name="lines">Without an unfinished line.</param>
    public void Extract(ReadOnlySpan<byte> wikitext, ReadOnlySpan<byte> title, TextBatch lines)
    {
        var spans = _scanner.Scan(wikitext);
        _lines.Begin(lines);
        _pieceCount = 0;
        Push(new Piece(0, wikitext.Length, 0));
        while (_pieceCount > 0)
        {
            var piece = _pieces[--_pieceCount];
            if (piece.Own == OwnText.LineEnd)
                _lines.EndLine();
            else if (piece.Own != OwnText.None)
                _lines.AppendLiteral(piece.Own == OwnText.Title ? title : Utf8(piece.Own));
            else
                WriteStretch(wikitext, spans, piece);
        }
        _lines.EndLine();
    }

    /// <summary>Writes a stretch up to the first span with content of its own; that and what follows become pieces.</summary>
    private void WriteStretch(ReadOnlySpan<byte> text, ReadOnlySpan<MarkupSpan> spans, Piece piece)
    {
        var place = piece.Start;
        var next = piece.Span;
        while (next < spans.Length && spans[next].Start < piece.End)
        {
            var index = next;
            ref readonly var span = ref spans[index];
            WriteText(text[place..span.Start]);
            place = span.End;
            next = span.Next;
            switch (span.Kind)
            {
                case MarkupKind.Silent:
                    break;
                case MarkupKind.Removed:
                    _lines.MarkRemoval();
                    break;
                case MarkupKind.Space:
                    _lines.Append(" "u8);
                    break;
                case MarkupKind.LineBreak:
                    _lines.EndLine();
                    break;
                case MarkupKind.Text:
                    WriteText(text[span.Start..span.End]);
                    break;
                case MarkupKind.NoWiki:
                    WriteLiteral(text[span.ContentStart..span.ContentEnd]);
                    break;
                case MarkupKind.BrokenTable:
                    _lines.IsInBrokenTable = true;
                    goto case MarkupKind.BrokenLink;
                case MarkupKind.BrokenLink:
                    place = EndOfLine(text, spans, place, piece.End, ref next);
                    _lines.MarkRemoval();
                    break;
                default:
                    Push(new Piece(place, piece.End, next));
                    PushContent(text, spans, index);
                    return;
            }
        }
        if (place < piece.End)
            WriteText(text[place..piece.End]);
    }

    private static int EndOfLine(ReadOnlySpan<byte> text, ReadOnlySpan<MarkupSpan> spans, int place, int end, ref int next)
    {
        var length = text[place..end].IndexOf((byte)'\n');
        var lineEnd = length < 0 ? end : place + length;
        while (next < spans.Length && spans[next].Start < lineEnd)
        {
            lineEnd = Math.Max(lineEnd, spans[next].End);
            next = spans[next].Next;
        }
        return Math.Min(lineEnd, end);
    }

    /// <summary>Writes text without spans: what is left are quotes, references, magic words and line ends.</summary>
    private void WriteText(ReadOnlySpan<byte> text)
    {
        while (true)
        {
            var next = text.IndexOfAny(Inline);
            _lines.Append(next < 0 ? text : text[..next]);
            if (next < 0)
                return;
            text = text[next..];
            text = text[0] switch
            {
                (byte)'\n' => EndLine(text),
                (byte)'\'' => Quotes(text),
                (byte)'&' => Entity(text),
                _ => Underscores(text),
            };
        }
    }

    /// <summary>Writes text in which only references count.</summary>
    private void WriteLiteral(ReadOnlySpan<byte> text)
    {
        while (true)
        {
            var next = text.IndexOfAny((byte)'\n', (byte)'&');
            _lines.AppendLiteral(next < 0 ? text : text[..next]);
            if (next < 0)
                return;
            text = text[next..];
            text = text[0] == (byte)'\n' ? EndLine(text) : Entity(text);
        }
    }

    private ReadOnlySpan<byte> EndLine(ReadOnlySpan<byte> text)
    {
        _lines.EndLine();
        return text[1..];
    }

    private ReadOnlySpan<byte> Quotes(ReadOnlySpan<byte> text)
    {
        var run = text.IndexOfAnyExcept((byte)'\'');
        if (run < 0)
            run = text.Length;
        if (run == 1)
            _lines.Append("'"u8);
        else
            _lines.AppendQuotes(run);
        return text[run..];
    }

    private ReadOnlySpan<byte> Entity(ReadOnlySpan<byte> text)
    {
        Span<byte> decoded = stackalloc byte[HtmlEntities.LongestText];
        var taken = HtmlEntities.Decode(text, decoded, out var written);
        if (taken == 0)
            (taken, written, decoded[0]) = (1, 1, (byte)'&');
        _lines.AppendLiteral(decoded[..written]);
        return text[taken..];
    }

    private ReadOnlySpan<byte> Underscores(ReadOnlySpan<byte> text)
    {
        var word = MagicWords.Length(text);
        if (word > 0)
            return text[word..];
        var run = text.IndexOfAnyExcept((byte)'_');
        if (run < 0)
            run = text.Length;
        // The last two of more may begin a word.
        var plain = run > 2 ? run - 2 : 1;
        _lines.Append(text[..plain]);
        return text[plain..];
    }

    private void Push(Piece piece)
    {
        if (_pieceCount == _pieces.Length)
            Array.Resize(ref _pieces, _pieceCount * 2);
        _pieces[_pieceCount++] = piece;
    }

    private void Push(OwnText own) => Push(new Piece(own, 0, 0, 0));

    private static ReadOnlySpan<byte> Utf8(OwnText own) => own switch
    {
        OwnText.OpenParenthesis => "（"u8,
        OwnText.CloseParenthesis => "）"u8,
        OwnText.Comma => "、"u8,
        OwnText.Blank => " "u8,
        OwnText.Dash => " – "u8,
        OwnText.MiddleDot => "・"u8,
        OwnText.Apostrophe => "'"u8,
        OwnText.EqualsSign => "="u8,
        _ => default,
    };
}
