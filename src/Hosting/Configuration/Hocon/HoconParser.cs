using System.Text;

namespace Streaming.Hosting.Configuration.Hocon;

/// <summary>
/// Reads HOCON (https://github.com/lightbend/config/blob/main/HOCON.md) and keeps the line of every value. Stricter than
/// Akka's own parser, which accepts a missing brace; more lenient than the specification in unquoted values, where
/// <c>cuda:0</c>, <c>data/*.xz</c> and <c>https://…</c> stand for themselves.
/// </summary>
internal sealed class HoconParser
{
    /// <summary>Sections and lists within each other; deeper ones would exhaust the stack.</summary>
    private const int DeepestNesting = 64;

    private readonly HoconCursor _cursor;
    private readonly Func<string, HoconObject> _include;
    private int _depth;

    private HoconParser(HoconCursor cursor, Func<string, HoconObject> include)
    {
        _cursor = cursor;
        _include = include;
    }

    /// <param name="text">The whole file.</param>
    /// <param name="source">What errors call it.</param>
    /// <param name="folder">Where its relative paths start.</param>
    /// <param name="include">Reads the file named by an <c>include</c>.</param>
    /// <exception cref="HoconSyntaxException">The text is not HOCON.</exception>
    public static HoconObject Parse(string text, string source, string folder, Func<string, HoconObject> include)
    {
        var parser = new HoconParser(new HoconCursor(text, source, folder), include);
        return parser.ParseRoot();
    }

    /// <summary>Splits <c>a."b.c".d</c> into its keys.</summary>
    /// <exception cref="HoconSyntaxException">An empty key or a character that needs quotes.</exception>
    public static string[] ParsePath(string path, string source)
    {
        var parser = new HoconParser(new HoconCursor(path, source, ""), _ => throw new InvalidOperationException());
        var keys = parser.ParseKeys();
        return parser._cursor.AtEnd ? keys : throw parser._cursor.Error($"'{path}' is no key");
    }

    private HoconObject ParseRoot()
    {
        var root = new HoconObject(_cursor.Here);
        _cursor.SkipFiller();
        if (_cursor.Current != '{')
        {
            ParseFields(root, openedAt: 0, openedFor: "");
            return root;
        }
        var line = _cursor.Line;
        _cursor.Take();
        ParseFields(root, line, "the file");
        _cursor.SkipFiller();
        return _cursor.AtEnd ? root : throw _cursor.Error($"'{_cursor.Current}' stands after the end of the configuration");
    }

    /// <summary>Reads fields up to the closing brace, or to the end of the text where <paramref name="openedAt"/> is 0.</summary>
    private void ParseFields(HoconObject target, int openedAt, string openedFor)
    {
        while (true)
        {
            _cursor.SkipFiller();
            if (_cursor.AtEnd)
            {
                if (openedAt > 0)
                    throw _cursor.Error(openedAt, $"the '{{' of {openedFor} is never closed: a '}}' is missing before the end of the file");
                return;
            }
            if (_cursor.Current == '}')
            {
                if (openedAt == 0)
                    throw _cursor.Error("this '}' closes nothing: no '{' is open");
                _cursor.Take();
                return;
            }
            if (!TryParseInclude(target))
                ParseField(target);
            ExpectSeparator('}');
        }
    }

    private void ParseField(HoconObject target)
    {
        var line = _cursor.Line;
        var keys = ParseKeys();
        var name = string.Join('.', keys);
        _cursor.TakeBlanks();
        if (_cursor.Current == '{')
        {
            target.Assign(keys, ParseValue(name));
            return;
        }
        var append = _cursor.StartsWith("+=");
        if (!append && _cursor.Current is not ('=' or ':'))
            throw _cursor.Error(line, $"'{name}' has no value: '=' or '{{' is missing after it");
        _cursor.Skip(append ? 2 : 1);
        var value = ParseValue(name);
        if (append)
        {
            // a += v means a = ${?a} [v].
            value = new HoconConcatenation([new HoconSelf(value.Origin), new HoconArray([value], value.Origin)], value.Origin);
        }
        target.Assign(keys, value);
    }

    private bool TryParseInclude(HoconObject target)
    {
        const string Keyword = "include";
        var opening = new[] { "\"", "file(\"", "required(\"", "required(file(\"" };
        if (!_cursor.StartsWith(Keyword))
            return false;
        var found = opening.Select(o => $"{Keyword} {o}").FirstOrDefault(_cursor.StartsWith);
        if (found is null)
            return false;
        _cursor.Skip(found.Length - 1);
        var file = _cursor.TakeQuoted();
        for (var closing = found.Count(c => c == '('); closing > 0; closing--)
        {
            if (_cursor.Current != ')')
                throw _cursor.Error($"')' is missing after include \"{file}\"");
            _cursor.Take();
        }
        target.AddAll(_include(file));
        return true;
    }

    /// <summary>Reads a key path; stops before <c>=</c>, <c>:</c>, <c>{</c>, <c>+=</c> or the line's end.</summary>
    private string[] ParseKeys()
    {
        var keys = new List<string>();
        var key = new StringBuilder();
        var quoted = false;
        while (true)
        {
            if (_cursor.Current == '"')
            {
                key.Append(_cursor.TakeQuoted());
                quoted = true;
            }
            else if (_cursor.Current == '.')
            {
                if (keys.Count == DeepestNesting)
                    throw _cursor.Error($"a key has more than {DeepestNesting} names with dots between them");
                Finish();
                _cursor.Take();
            }
            else if (_cursor.AtEnd || _cursor.Current is '\n' or '=' or ':' or '{' or '}' or '[' or ']' or ',' or '#' || _cursor.StartsWith("+="))
            {
                Finish();
                return [.. keys];
            }
            else if (_cursor.Current == '$')
            {
                throw _cursor.Error("'${…}' stands where a key must stand; substitutions are for values");
            }
            else
            {
                key.Append(_cursor.Take());
            }
        }

        void Finish()
        {
            var name = quoted ? key.ToString() : key.ToString().Trim();
            if (name.Length == 0 && !quoted)
                throw _cursor.Error($"a key is missing before {Show(_cursor.Current)}");
            keys.Add(quoted ? name.TrimEnd() : name);
            key.Clear();
            quoted = false;
        }
    }

    private HoconNode ParseValue(string name)
    {
        var parts = new List<HoconNode>();
        var blanks = _cursor.TakeBlanks();
        SkipLineEndBeforeBracket();
        while (!_cursor.AtEnd && _cursor.Current is not ('\n' or ',' or '}' or ']') && !_cursor.AtComment)
        {
            if (parts.Count > 0 && blanks.Length > 0)
                parts.Add(new HoconText(blanks, Quoted: false, _cursor.Here));
            parts.Add(ParsePart(name));
            blanks = _cursor.TakeBlanks();
        }
        return parts.Count switch
        {
            0 => throw _cursor.Error($"'{name}' has no value"),
            1 => parts[0],
            _ => new HoconConcatenation(parts, parts[0].Origin),
        };
    }

    /// <summary>An object or array may open on a line below its key.</summary>
    private void SkipLineEndBeforeBracket()
    {
        if (_cursor.Current != '\n' && !_cursor.AtComment)
            return;
        var line = _cursor.Line;
        _cursor.SkipFiller();
        if (_cursor.Current is not ('{' or '['))
            throw _cursor.Error(line, "a value is missing after '='");
    }

    private HoconNode ParsePart(string name)
    {
        var here = _cursor.Here;
        switch (_cursor.Current)
        {
            case '{' or '[' when _depth == DeepestNesting:
                throw _cursor.Error($"'{name}' opens a section or list more than {DeepestNesting} deep");
            case '{':
                _depth++;
                _cursor.Take();
                var value = new HoconObject(here);
                ParseFields(value, here.Line, $"'{name}'");
                _depth--;
                return value;
            case '[':
                _depth++;
                var array = ParseArray(name);
                _depth--;
                return array;
            case '"':
                return new HoconText(_cursor.TakeQuoted(), Quoted: true, here);
            case '$' when _cursor.StartsWith("${"):
                return ParseSubstitution();
            case '=':
                throw _cursor.Error($"a second '=' stands in the value of '{name}'; put the value in quotes");
            default:
                return new HoconText(TakeUnquoted(), Quoted: false, here);
        }
    }

    private HoconArray ParseArray(string name)
    {
        var here = _cursor.Here;
        _cursor.Take();
        var items = new List<HoconNode>();
        while (true)
        {
            _cursor.SkipFiller();
            if (_cursor.AtEnd)
                throw _cursor.Error(here.Line, $"the '[' of '{name}' is never closed: a ']' is missing");
            if (_cursor.Current == ']')
            {
                _cursor.Take();
                return new HoconArray(items, here);
            }
            items.Add(ParseValue(name));
            ExpectSeparator(']');
        }
    }

    private HoconSubstitution ParseSubstitution()
    {
        var here = _cursor.Here;
        _cursor.Skip(2);
        var optional = _cursor.Current == '?';
        if (optional)
            _cursor.Take();
        var path = new StringBuilder();
        while (_cursor.Current != '}')
        {
            if (_cursor.AtEnd || _cursor.Current is '\n' or '{' or '$')
                throw _cursor.Error(here.Line, "'${' is never closed: a '}' is missing");
            path.Append(_cursor.Take());
        }
        _cursor.Take();
        var name = path.ToString().Trim();
        return name.Length > 0
            ? new HoconSubstitution(name, optional, here)
            : throw _cursor.Error(here.Line, "'${}' names nothing");
    }

    private string TakeUnquoted()
    {
        var value = new StringBuilder();
        while (!_cursor.AtEnd && _cursor.Current is not ('\n' or ',' or '{' or '}' or '[' or ']' or '"' or '=')
            && !_cursor.AtBlank && !_cursor.AtComment && !_cursor.StartsWith("${"))
        {
            value.Append(_cursor.Take());
        }
        return value.ToString();
    }

    /// <summary>After a field or an item: a line end, a comma, or the closing bracket.</summary>
    private void ExpectSeparator(char closer)
    {
        _cursor.TakeBlanks();
        if (_cursor.AtEnd || _cursor.Current == '\n' || _cursor.Current == closer || _cursor.AtComment)
        {
            var beforeFiller = _cursor.AtEnd;
            _cursor.SkipFiller();
            if (!beforeFiller && _cursor.Current == ',')
                _cursor.Take();
            return;
        }
        if (_cursor.Current != ',')
            throw _cursor.Error($"{Show(_cursor.Current)} is not expected here: a line end, a comma or '{closer}' is");
        _cursor.Take();
    }

    private static string Show(char character) => character switch
    {
        '\0' => "the end of the file",
        '\n' => "the end of the line",
        _ => $"'{character}'",
    };
}
