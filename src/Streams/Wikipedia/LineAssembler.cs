using System.Text.Unicode;
using Streaming.Streams.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>
/// Puts the text of a line together and decides at its end what the line is: a heading, an item of a list, a paragraph, or
/// what is left of markup. Not thread-safe.
/// </summary>
internal sealed class LineAssembler(WikitextOptions options)
{
    private readonly QuoteRuns _quotes = new();
    private readonly PendingHeadings _headings = new();
    private TextBatch _lines = null!;
    private byte[] _line = new byte[1 << 12];
    private char[] _characters = new char[1 << 12];
    private char[] _headingCharacters = new char[1 << 8];
    private int[] _removals = new int[16]; // places in the line
    private int _length;
    private int _removalCount;
    private bool _startIsText; // and no markup
    private bool _endIsText;

    /// <summary>A table has begun that does not end: lines that look like its cells are dropped up to the end of the page.</summary>
    public bool IsInBrokenTable { get; set; }

    public void Begin(TextBatch lines)
    {
        _lines = lines;
        IsInBrokenTable = false;
        _headings.Clear();
        _quotes.Clear();
        _length = _removalCount = 0;
    }

    /// <summary>Adds text whose first character counts as markup at the start of a line.</summary>
    public void Append(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
            return;
        if (_length > 0 && !_endIsText && Delimiters.Meet(_line[_length - 1], text[0]))
            AppendLiteral(" "u8);
        Append(text, isText: false);
    }

    /// <summary>Adds text that is never markup.</summary>
    public void AppendLiteral(ReadOnlySpan<byte> text) => Append(text, isText: true);

    private void Append(ReadOnlySpan<byte> text, bool isText)
    {
        if (text.IsEmpty)
            return;
        if (_length == 0)
            _startIsText = isText;
        _endIsText = isText;
        if (_line.Length - _length < text.Length)
            Array.Resize(ref _line, Math.Max(_length + text.Length, _line.Length * 2));
        text.CopyTo(_line.AsSpan(_length));
        _length += text.Length;
    }

    /// <summary>Adds a run of two or more apostrophes.</summary>
    public void AppendQuotes(int run)
    {
        // Four are an apostrophe and three, more than five are apostrophes and five. One apostrophe is enough.
        if (run == 4 || run > 5)
            Append("'"u8);
        _quotes.Add(_length, Math.Min(run == 4 ? 3 : run, 5));
    }

    /// <summary>Something was taken out here: brackets around it may be empty now.</summary>
    public void MarkRemoval()
    {
        if (_removalCount > 0 && _removals[_removalCount - 1] == _length)
            return;
        if (_removalCount == _removals.Length)
            Array.Resize(ref _removals, _removalCount * 2);
        _removals[_removalCount++] = _length;
    }

    public void EndLine()
    {
        if (_length > 0)
        {
            if (_quotes.FindApostrophe(_line.AsSpan(0, _length)) is >= 0 and var place)
                InsertApostrophe(place);
            var line = _line.AsSpan(0, _length);
            Classify(line[..EmptiedBrackets.Close(line, _removals.AsSpan(0, _removalCount))]);
        }
        _length = _removalCount = 0;
        _quotes.Clear();
    }

    private void InsertApostrophe(int place)
    {
        var isDouble = (place > 0 && _line[place - 1] == (byte)'\'') || (place < _length && _line[place] == (byte)'\'');
        if (isDouble)
            return;
        var length = _length;
        AppendLiteral("'"u8);
        _line.AsSpan(place, length - place).CopyTo(_line.AsSpan(place + 1));
        _line[place] = (byte)'\'';
        foreach (ref var removal in _removals.AsSpan(0, _removalCount))
            removal += removal >= place ? 1 : 0;
    }

    private void Classify(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty)
            return;
        if (!_startIsText)
        {
            switch (line[0])
            {
                case (byte)'=' when PendingHeadings.Parse(line, out var level, out var title):
                    _headings.Add(level, title);
                    return;
                case (byte)'*' or (byte)'#' or (byte)';' or (byte)':':
                    var marker = line.IndexOfAnyExcept("*#;:"u8);
                    // An indented line is text, and so is a list that stands in one.
                    if (marker < 0 || (!options.KeepLists && line[0] != (byte)':'))
                        return;
                    line = line[marker..];
                    break;
                case (byte)'|':
                case (byte)'!' when IsInBrokenTable:
                    return; // left over from a table or a template
                case (byte)'-' when line.StartsWith("----"u8):
                    line = line.TrimStart((byte)'-');
                    break;
            }
        }
        var length = Fold(line, ref _characters);
        if (!IsKept(_characters.AsSpan(0, length)))
            return;
        EmitHeadings();
        _lines.AppendLine(_characters.AsSpan(0, length));
    }

    private void EmitHeadings()
    {
        if (!_headings.Any)
            return;
        for (var level = 1; level <= PendingHeadings.Levels && options.Headings != HeadingStyle.Drop; level++)
        {
            var length = Fold(_headings[level], ref _headingCharacters);
            if (length > 0 && options.Headings == HeadingStyle.Sentence && _headingCharacters[length - 1] is not ('.' or '!' or '?'))
                _headingCharacters[length++] = '.';
            if (IsKept(_headingCharacters.AsSpan(0, length)))
                _lines.AppendLine(_headingCharacters.AsSpan(0, length));
        }
        _headings.Clear();
    }

    /// <summary>Characters of a line with its white space folded; the buffer has room for one more.</summary>
    private static int Fold(ReadOnlySpan<byte> line, ref char[] characters)
    {
        if (characters.Length <= line.Length)
            characters = new char[Math.Max(line.Length + 1, characters.Length * 2)];
        Utf8.ToUtf16(line, characters, out _, out var written);
        return LineRules.FoldWhiteSpace(characters.AsSpan(0, written));
    }

    private bool IsKept(ReadOnlySpan<char> line) => HasWord(line) && LineRules.IsLongEnough(line, options.MinimumLineCharacters);

    private static bool HasWord(ReadOnlySpan<char> line)
    {
        foreach (var character in line)
        {
            if (char.IsLetterOrDigit(character) || char.IsSurrogate(character))
                return true;
        }
        return false;
    }
}
