using System.Text;

namespace Streaming.Hosting.Configuration.Hocon;

/// <summary>Reads characters, blanks and quoted strings from HOCON text and knows the line it stands in.</summary>
internal sealed class HoconCursor(string text, string source, string folder)
{
    private int _position = text.StartsWith('\uFEFF') ? 1 : 0;

    public int Line { get; private set; } = 1;

    public bool AtEnd => _position >= text.Length;

    /// <summary>The next character; NUL at the end of the text.</summary>
    public char Current => AtEnd ? '\0' : text[_position];

    public Origin Here => new(source, folder, Line);

    public bool StartsWith(string value) => string.CompareOrdinal(text, _position, value, 0, value.Length) == 0;

    /// <summary>A comment begins here. <c>//</c> right after a colon does not begin one, so that URLs need no quotes.</summary>
    public bool AtComment => Current == '#' || (StartsWith("//") && (_position == 0 || text[_position - 1] != ':'));

    /// <summary>The next character and one line end count as blank between the parts of one value.</summary>
    public bool AtBlank => !AtEnd && Current != '\n' && char.IsWhiteSpace(Current);

    public char Take()
    {
        var taken = text[_position++];
        if (taken == '\n')
            Line++;
        return taken;
    }

    public void Skip(int count)
    {
        for (var i = 0; i < count; i++)
            Take();
    }

    /// <summary>Skips blanks within the line and returns them.</summary>
    public string TakeBlanks()
    {
        var start = _position;
        while (AtBlank)
            Take();
        return text[start.._position];
    }

    /// <summary>Skips blanks, line ends and comments.</summary>
    public void SkipFiller()
    {
        while (!AtEnd)
        {
            if (char.IsWhiteSpace(Current))
                Take();
            else if (AtComment)
                SkipComment();
            else
                return;
        }
    }

    /// <summary>Skips a comment up to its line end.</summary>
    public void SkipComment()
    {
        while (!AtEnd && Current != '\n')
            Take();
    }

    /// <summary>Reads <c>"…"</c> with JSON's escapes, or <c>"""…"""</c> as it stands.</summary>
    public string TakeQuoted()
    {
        var line = Line;
        if (StartsWith("\"\"\""))
            return TakeTripleQuoted(line);
        Take();
        var value = new StringBuilder();
        while (true)
        {
            if (AtEnd || Current == '\n')
                throw Error(line, "a quoted string is not closed: '\"' is missing");
            switch (Take())
            {
                case '"':
                    return value.ToString();
                case '\\':
                    value.Append(TakeEscape());
                    break;
                case var other:
                    value.Append(other);
                    break;
            }
        }
    }

    public HoconSyntaxException Error(string message) => Error(Line, message);

    public HoconSyntaxException Error(int line, string message) => new($"{source}:{line}: {message}.");

    private string TakeTripleQuoted(int line)
    {
        Skip(3);
        var end = text.IndexOf("\"\"\"", _position, StringComparison.Ordinal);
        if (end < 0)
            throw Error(line, "a triple-quoted string is not closed: '\"\"\"' is missing");
        while (end + 3 < text.Length && text[end + 3] == '"') // quotes before the last three belong to the string
            end++;
        var value = text[_position..end];
        Skip(end + 3 - _position);
        return value;
    }

    private char TakeEscape()
    {
        var escape = AtEnd ? '\0' : Take();
        switch (escape)
        {
            case '"' or '\\' or '/':
                return escape;
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u' when _position + 4 <= text.Length
                && ushort.TryParse(text.AsSpan(_position, 4), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var code):
                Skip(4);
                return (char)code;
            default:
                throw Error($"'\\{escape}' is no escape; a backslash in a quoted string is written '\\\\'");
        }
    }
}
