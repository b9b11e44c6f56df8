namespace Streaming.Streams.Cleaning;

/// <summary>What the rules know about a UTF-16 unit.</summary>
internal enum CharacterClass : byte
{
    Hiragana,
    Katakana,
    Kanji,
    Latin,
    Digit,

    /// <summary>Marks of sentences and quotations, Japanese and Western.</summary>
    Punctuation,

    /// <summary>Everything else that is seen: signs, arrows, frames, emoji.</summary>
    Symbol,

    /// <summary>Not seen and not counted: spaces, controls, combining marks, the second half of a surrogate pair.</summary>
    Blank,

    /// <summary>Letters of other scripts. The last value: <see cref="LineProfile"/> derives its count from the others'.</summary>
    OtherLetter,
}

/// <summary>The class of each UTF-16 unit, 65,536 entries.</summary>
internal static class CharacterClasses
{
    private const string PunctuationMarks = "、。，．！？!?「」『』（）()【】〈〉《》〔〕・…‥―—,.;:'\"“”‘’〜～｡｢｣､･";
    private const string SentenceEnds = "。．.！？!?…‥｡";
    private const string Closers = "」』）)】〕〉》”’\"'｣";

    private static readonly CharacterClass[] _table = Build();

    public static ReadOnlySpan<CharacterClass> Table => _table;

    public static CharacterClass Of(char unit) => _table[unit];

    public static bool IsBlank(char unit) => _table[unit] == CharacterClass.Blank;

    /// <summary>Full stops, question and exclamation marks, ellipses.</summary>
    public static bool IsSentenceEnd(char unit) => SentenceEnds.Contains(unit);

    /// <summary>Closing quotation marks and brackets.</summary>
    public static bool IsCloser(char unit) => Closers.Contains(unit);

    private static CharacterClass[] Build()
    {
        var table = new CharacterClass[char.MaxValue + 1];
        for (var unit = 0; unit < table.Length; unit++)
            table[unit] = Classify((char)unit);
        foreach (var mark in PunctuationMarks)
            table[mark] = CharacterClass.Punctuation;
        return table;
    }

    private static CharacterClass Classify(char unit) => unit switch
    {
        >= '\u3041' and <= '\u3096' or >= '\u309D' and <= '\u309F' or >= '\u3031' and <= '\u3035' => CharacterClass.Hiragana,
        >= '\u30A1' and <= '\u30FA' or >= '\u30FC' and <= '\u30FF' or >= '\u31F0' and <= '\u31FF' or >= '\uFF66' and <= '\uFF9F' => CharacterClass.Katakana,
        >= '\u4E00' and <= '\u9FFF' or >= '\u3400' and <= '\u4DBF' or >= '\uF900' and <= '\uFAFF' or >= '\u3005' and <= '\u3007' or '\u303B' => CharacterClass.Kanji,
        >= '\uD840' and <= '\uD888' => CharacterClass.Kanji, // first halves of the supplementary ideographs
        >= '\uD800' and <= '\uDBFF' => CharacterClass.Symbol, // of emoji, mostly
        >= '\uDC00' and <= '\uDFFF' => CharacterClass.Blank,
        >= '\u0000' and <= '\u024F' or >= '\u1E00' and <= '\u1EFF' or >= 'Ａ' and <= 'Ｚ' or >= 'ａ' and <= 'ｚ' when char.IsLetter(unit) => CharacterClass.Latin,
        _ when char.IsDigit(unit) => CharacterClass.Digit,
        _ when char.IsLetter(unit) => CharacterClass.OtherLetter,
        _ when char.IsWhiteSpace(unit) || char.IsControl(unit) => CharacterClass.Blank,
        _ => char.GetUnicodeCategory(unit) is System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.NonSpacingMark
            or System.Globalization.UnicodeCategory.EnclosingMark or System.Globalization.UnicodeCategory.SpacingCombiningMark
            ? CharacterClass.Blank
            : CharacterClass.Symbol,
    };
}
