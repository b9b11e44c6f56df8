namespace Streaming.Streams.Normalization;

/// <summary>
/// What neologdn 0.5.6 knows about characters, one entry per UTF-16 unit. Every character it names lies in the basic
/// plane, so a surrogate, paired or alone, is ordinary here and no decoding is needed.
/// </summary>
internal static class CharacterTable
{
    /// <summary>How the normaliser treats a character.</summary>
    [Flags]
    public enum Kind : byte
    {
        Ordinary = 0,

        /// <summary>Ideographs, kana, CJK punctuation, half- and full-width forms: no space survives beside these.</summary>
        Cjk = 1,

        /// <summary>U+0000 to U+007F: a space after one of these survives, unless a <see cref="Cjk"/> character follows.</summary>
        BasicLatin = 2,

        Space = 4,
        Hyphen = 8,
        LongVowel = 16,
        Tilde = 32,

        /// <summary>Has an entry in <see cref="Replacements"/>, or is a half-width voicing mark.</summary>
        Replaced = 64,

        /// <summary>Any kind that is not copied as it stands.</summary>
        Special = Space | Hyphen | LongVowel | Tilde | Replaced,
    }

    public const char VoicedMark = 'ﾞ';
    public const char SemiVoicedMark = 'ﾟ';

    private const string Hyphens = "\u02D7\u058A\u2010\u2011\u2012\u2013\u2043\u207B\u208B\u2212";
    private const string LongVowels = "\uFE63\uFF0D\uFF70\u2014\u2015\u2500\u2501\u30FC";
    private const string Tildes = "~\u223C\u223E\u301C\u3030\uFF5E";

    // neologdn leaves full-width ＂ ＇ ＼ ｀ and ￥ alone and replaces the curly quotes and the yen sign instead.
    private const string Wide = "！”＃＄％＆’（）＊＋，．／：；＜＝＞？＠［\u00A5］＾＿‘｛｜｝“";
    private const string Narrow = "!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}\"";

    private const string HalfKana = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝｧｨｩｪｫｯｬｭｮ｡､･｢｣゛゜";
    private const string FullKana = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンァィゥェォッャュョ。、・「」ﾞﾟ";

    private const string TakesVoicing = "カキクケコサシスセソタチツテトハヒフヘホ";
    private const string TakesSemiVoicing = "ハヒフヘホはひふへほ";

    private static readonly Kind[] KindTable = BuildKinds();
    private static readonly char[] ReplacementTable = BuildReplacements();

    /// <summary>The kind of each UTF-16 unit, 65,536 entries.</summary>
    public static ReadOnlySpan<Kind> Kinds => KindTable;

    /// <summary>What each UTF-16 unit becomes, itself where nothing is replaced, 65,536 entries.</summary>
    public static ReadOnlySpan<char> Replacements => ReplacementTable;

    /// <summary>The kana that <paramref name="kana"/> and a voicing mark make together, or NUL where they do not combine.</summary>
    public static char Combine(char kana, char mark) => mark switch
    {
        VoicedMark when kana == 'ウ' => 'ヴ',
        VoicedMark when kana == 'う' => 'ゔ',
        VoicedMark when TakesVoicing.Contains(kana) => (char)(kana + 1),
        SemiVoicedMark when TakesSemiVoicing.Contains(kana) => (char)(kana + 2),
        _ => '\0',
    };

    private static char[] BuildReplacements()
    {
        var table = new char[char.MaxValue + 1];
        for (var unit = 0; unit < table.Length; unit++)
            table[unit] = (char)unit;
        Replace(Wide, Narrow);
        Replace(HalfKana, FullKana);
        for (var offset = 0; offset < 26; offset++)
        {
            table['ａ' + offset] = (char)('a' + offset);
            table['Ａ' + offset] = (char)('A' + offset);
        }

        for (var digit = 0; digit < 10; digit++)
            table['０' + digit] = (char)('0' + digit);
        return table;

        void Replace(string from, string to)
        {
            for (var index = 0; index < from.Length; index++)
                table[from[index]] = to[index];
        }
    }

    private static Kind[] BuildKinds()
    {
        var table = new Kind[char.MaxValue + 1];
        MarkRange('\u0000', '\u007F', Kind.BasicLatin);
        MarkRange('\u3001', '\u30FF', Kind.Cjk);
        MarkRange('\u4E00', '\u9FFF', Kind.Cjk);
        MarkRange('\uFF00', '\uFFEF', Kind.Cjk);
        MarkAll(" \u3000", Kind.Space);
        MarkAll(Hyphens, Kind.Hyphen);
        MarkAll(LongVowels, Kind.LongVowel);
        MarkAll(Tildes, Kind.Tilde);
        MarkAll("ﾞﾟ", Kind.Replaced);
        MarkAll(Wide, Kind.Replaced);
        MarkAll(HalfKana, Kind.Replaced);
        MarkRange('ａ', 'ｚ', Kind.Replaced);
        MarkRange('Ａ', 'Ｚ', Kind.Replaced);
        MarkRange('０', '９', Kind.Replaced);
        return table;

        void MarkRange(char first, char last, Kind kind)
        {
            for (int unit = first; unit <= last; unit++)
                table[unit] |= kind;
        }

        void MarkAll(string characters, Kind kind)
        {
            foreach (var unit in characters)
                table[unit] |= kind;
        }
    }
}
