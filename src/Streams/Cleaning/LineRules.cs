using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using static Streaming.Streams.Cleaning.CleaningReason;

namespace Streaming.Streams.Cleaning;

/// <summary>The rules that look at one line alone, each a pure function. Thread-safe, allocates nothing.</summary>
internal static class LineRules
{
    /// <summary>Visible characters from which a line without kana is no name or heading any more.</summary>
    private const int LeastForKana = 20;

    /// <summary>Characters in a row from which they count as repeated: 「ああ……」 and 「えーーっ」 are writing.</summary>
    private const int RepeatedRun = 4;

    private static readonly SearchValues<string> _urlStarts = SearchValues.Create(["://", "www."], StringComparison.OrdinalIgnoreCase);

    /// <summary>The first rule that the line breaks, or <see cref="None"/>.</summary>
    /// <param name="line">The line as it stands.</param>
    /// <param name="profile">Its characters.</param>
    /// <param name="options">Thresholds.</param>
    /// <param name="isFragment">The line neither ends like a sentence nor goes on in the next one.</param>
    public static CleaningReason Check(ReadOnlySpan<char> line, in LineProfile profile, CleaningOptions options, out bool isFragment)
    {
        var visible = profile.Visible;
        var endsLikeSentence = EndsLikeSentence(line);
        isFragment = !endsLikeSentence;
        if (visible == 0 || visible < options.MinimumLineCharacters || isFragment && visible < options.MinimumFragmentCharacters)
            return LineTooShort;
        if (line.Length > options.MaximumLineCharacters)
            return LineTooLong;
        if (options.MaximumRepeatedCharacterShare < 1 && RepeatedCharacters(line) > options.MaximumRepeatedCharacterShare * visible)
            return CleaningReason.RepeatedCharacters;
        if (options.DropBoilerplate && BoilerplateRule.Check(line, profile, endsLikeSentence) is var frame and not None)
            return frame;
        if (options.MaximumUrlShare < 1 && UrlCharacters(line) > options.MaximumUrlShare * visible)
            return Url;
        if (profile.Digits + profile.Symbols > options.MaximumDigitAndSymbolShare * visible)
            return DigitsAndSymbols;
        if (profile.Japanese < options.MinimumJapaneseShare * profile.Words)
            return NotJapanese;
        if (visible >= LeastForKana && profile.Kana < options.MinimumKanaShare * (profile.Words - profile.Digits))
            return WithoutKana;
        return None;
    }

    /// <summary>
    /// The last character is a full stop or the like, a closing quotation mark, a comma after which the next line goes on, or
    /// a dash; a closing bracket counts as what stands before it.
    /// </summary>
    public static bool EndsLikeSentence(ReadOnlySpan<char> line)
    {
        for (var index = line.Length - 1; index >= 0; index--)
        {
            var unit = line[index];
            if (CharacterClasses.IsBlank(unit) || unit is ')' or '）' or '】' or '〕' or '"' or '\'')
                continue;
            return CharacterClasses.IsSentenceEnd(unit) || unit is '」' or '』' or '”' or '’' or '、' or '，' or '､' or '｣' or '―' or '—' or '♪';
        }
        return false;
    }

    /// <summary>A sentence ends within the line.</summary>
    public static bool HoldsSentence(ReadOnlySpan<char> line) => line.ContainsAny('。', '！', '？') || line.ContainsAny('．', '｡');

    /// <summary>Characters in runs of four and more of one visible character.</summary>
    internal static int RepeatedCharacters(ReadOnlySpan<char> line)
    {
        if (EqualNeighbours(line) * 2 < line.Length - RepeatedRun)
            return 0; // a share of a half and less needs no counting
        var repeated = 0;
        for (var start = 0; start < line.Length;)
        {
            var length = line[start..].IndexOfAnyExcept(line[start]);
            if (length < 0)
                length = line.Length - start;
            if (length >= RepeatedRun && !CharacterClasses.IsBlank(line[start]))
                repeated += length;
            start += length;
        }
        return repeated;
    }

    /// <summary>Characters of URLs, from the scheme or <c>www.</c> to the first character that no URL holds.</summary>
    internal static int UrlCharacters(ReadOnlySpan<char> line)
    {
        var characters = 0;
        while (line.IndexOfAny(_urlStarts) is var found and >= 0)
        {
            var start = found;
            while (start > 0 && char.IsAsciiLetter(line[start - 1]))
                start--;
            var end = found;
            while (end < line.Length && char.IsAscii(line[end]) && !char.IsWhiteSpace(line[end]))
                end++;
            characters += end - start;
            line = line[end..];
        }
        return characters;
    }

    /// <summary>Places where a character equals the next one.</summary>
    private static int EqualNeighbours(ReadOnlySpan<char> line)
    {
        var units = MemoryMarshal.Cast<char, ushort>(line);
        var (index, equal) = (0, 0);
        for (; index + Vector<ushort>.Count < units.Length; index += Vector<ushort>.Count)
        {
            var same = Vector.Equals(new Vector<ushort>(units[index..]), new Vector<ushort>(units[(index + 1)..]));
            if (same != Vector<ushort>.Zero)
                equal -= (short)Vector.Sum(same); // each is -1
        }
        for (; index + 1 < units.Length; index++)
            equal += units[index] == units[index + 1] ? 1 : 0;
        return equal;
    }
}
