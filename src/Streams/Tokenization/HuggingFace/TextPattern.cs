using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>
/// A regular expression of a <c>tokenizer.json</c>, written for Oniguruma, which counts characters where .NET counts UTF-16
/// units. A character beyond the basic plane is matched through a rare one of the same category, so that <c>\p{L}</c> or a
/// count takes it as one; such characters in the pattern itself get a private one each (a range: one for all of it).
/// Immutable. Errors: <see cref="FormatException"/> for what .NET reads otherwise or not at all.
/// </summary>
internal sealed class TextPattern
{
    private const char FirstPrivate = '\uF300', LastPrivate = '\uF3FF';

    private static readonly Dictionary<UnicodeCategory, char> _standIns = new()
    {
        [UnicodeCategory.UppercaseLetter] = '\u10A0',
        [UnicodeCategory.LowercaseLetter] = '\uA651',
        [UnicodeCategory.ModifierLetter] = '\uA717',
        [UnicodeCategory.OtherLetter] = '\uA840',
        [UnicodeCategory.NonSpacingMark] = '\u1DC0',
        [UnicodeCategory.SpacingCombiningMark] = '\uA823',
        [UnicodeCategory.DecimalDigitNumber] = '\uA8D0',
        [UnicodeCategory.LetterNumber] = '\u16EE',
        [UnicodeCategory.OtherNumber] = '\u2CFD',
        [UnicodeCategory.DashPunctuation] = '\u1400',
        [UnicodeCategory.OtherPunctuation] = '\uA874',
        [UnicodeCategory.MathSymbol] = '\u2A00',
        [UnicodeCategory.CurrencySymbol] = '\uA838',
        [UnicodeCategory.ModifierSymbol] = '\uA700',
        [UnicodeCategory.OtherSymbol] = '\u2800',
        [UnicodeCategory.Format] = '\u206A',
        [UnicodeCategory.PrivateUse] = '\uE000',
        [UnicodeCategory.OtherNotAssigned] = '\u0378',
    };

    private readonly Regex _regex;
    private readonly List<(int First, int Last, char StandIn)> _named = [];

    /// <param name="part">An object with <c>String</c> or <c>Regex</c>.</param>
    public TextPattern(JsonPart part)
    {
        if (part.Find("String") is { } literal)
            Literal = literal.Text();
        var pattern = Literal is null ? part.Require("Regex").Text() : Regex.Escape(Literal);
        try
        {
            // In Oniguruma's default syntax ^ and $ always are those of lines.
            _regex = new Regex(Translate(pattern), RegexOptions.CultureInvariant | RegexOptions.Multiline | RegexOptions.Compiled);
        }
        catch (Exception wrong) when (wrong is ArgumentException or FormatException)
        {
            throw new FormatException($"{part.Place} is the regular expression {Shorten(pattern)}, which is not supported ({wrong.Message.ReplaceLineEndings(" ").TrimEnd('.')})", wrong);
        }
    }

    /// <param name="pattern">A regular expression.</param>
    public TextPattern(string pattern) =>
        _regex = new Regex(Translate(pattern), RegexOptions.CultureInvariant | RegexOptions.Multiline | RegexOptions.Compiled);

    /// <summary>The text that is looked for; null for a regular expression.</summary>
    public string? Literal { get; }

    /// <summary>Adds where matches begin and end in a valid UTF-16 text, in order.</summary>
    public void Find(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            foreach (var match in _regex.EnumerateMatches(text))
                matches.Add((match.Index, match.Index + match.Length));
            return;
        }
        var units = new char[text.Length];
        var places = new int[text.Length + 1];
        var count = 0;
        for (var at = 0; at < text.Length; count++)
        {
            places[count] = at;
            units[count] = char.IsHighSurrogate(text[at]) ? StandIn(char.ConvertToUtf32(text[at], text[at + 1])) : text[at];
            at += char.IsHighSurrogate(text[at]) ? 2 : 1;
        }
        places[count] = text.Length;
        foreach (var match in _regex.EnumerateMatches(units.AsSpan(0, count)))
            matches.Add((places[match.Index], places[match.Index + match.Length]));
    }

    private char StandIn(int character)
    {
        foreach (var (first, last, standIn) in _named)
        {
            if (character >= first && character <= last)
                return standIn;
        }
        return _standIns.GetValueOrDefault(CharUnicodeInfo.GetUnicodeCategory(character), '\u0378');
    }

    // Writes the pattern as .NET reads it, and refuses what .NET would take for something else.
    private string Translate(string pattern)
    {
        var result = new StringBuilder(pattern.Length + 16);
        var isInClass = false;
        for (var at = 0; at < pattern.Length;)
        {
            if (pattern[at] == '\\' && at + 1 < pattern.Length && TryTranslateEscape(pattern, ref at, isInClass, result))
                continue;
            if (pattern[at] == '\\' && at + 1 < pattern.Length && !char.IsSurrogate(pattern[at + 1]))
            {
                result.Append(pattern, at, 2);
                at += 2;
                continue;
            }
            if (char.IsHighSurrogate(pattern[at]) && at + 1 < pattern.Length)
            {
                AppendNamed(pattern, ref at, result);
                continue;
            }
            switch (pattern[at])
            {
                case '[' when isInClass:
                    throw new FormatException("a class within a class is not supported");
                case '&' when isInClass && at + 1 < pattern.Length && pattern[at + 1] == '&':
                    throw new FormatException("an intersection of classes is not supported");
                case '[':
                    isInClass = true;
                    break;
                case ']':
                    isInClass = false;
                    break;
            }
            result.Append(pattern[at++]);
        }
        return result.ToString();
    }

    private bool TryTranslateEscape(string pattern, ref int at, bool isInClass, StringBuilder result)
    {
        var (plain, negated) = pattern[at + 1] switch
        {
            'w' => (@"\p{L}\p{M}\p{Nd}\p{Pc}", false),
            'W' => (@"\p{L}\p{M}\p{Nd}\p{Pc}", true),
            'h' => ("0-9a-fA-F", false),
            'H' => ("0-9a-fA-F", true),
            _ => ("", false),
        };
        if (plain.Length > 0)
        {
            if (isInClass && negated)
                throw new FormatException($"\\{pattern[at + 1]} in a class is not supported");
            result.Append(isInClass ? plain : negated ? $"[^{plain}]" : $"[{plain}]");
            at += 2;
            return true;
        }
        if (!pattern.AsSpan(at).StartsWith(@"\x{"))
            return false;
        var end = pattern.IndexOf('}', at);
        if (end < 0 || !int.TryParse(pattern.AsSpan(at + 3, end - at - 3), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) || !Rune.IsValid(value))
            throw new FormatException(@"\x{ is followed by no character");
        if (value > 0xFFFF)
            throw new FormatException(@"\x{ with a character beyond U+FFFF is not supported");
        result.Append(CultureInfo.InvariantCulture, $"\\u{value:X4}");
        at = end + 1;
        return true;
    }

    private void AppendNamed(string pattern, ref int at, StringBuilder result)
    {
        var first = char.ConvertToUtf32(pattern, at);
        var last = first;
        at += 2;
        if (at + 2 < pattern.Length && pattern[at] == '-' && char.IsHighSurrogate(pattern[at + 1]))
        {
            last = char.ConvertToUtf32(pattern, at + 1);
            at += 3;
        }
        var known = _named.FindIndex(named => named.First == first && named.Last == last);
        if (known < 0)
        {
            if (FirstPrivate + _named.Count > LastPrivate)
                throw new FormatException("it names too many characters beyond U+FFFF");
            known = _named.Count;
            _named.Add((first, last, (char)(FirstPrivate + known)));
        }
        result.Append(_named[known].StandIn);
    }

    private static string Shorten(string pattern) => pattern.Length <= 60 ? pattern : pattern[..60] + "…";
}
