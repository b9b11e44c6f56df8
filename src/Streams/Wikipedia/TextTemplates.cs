using System.Collections.Frozen;
using System.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>The text that a template leaves.</summary>
internal enum TemplateText : byte
{
    /// <summary>None.</summary>
    Nothing,

    /// <summary>The first argument.</summary>
    First,

    /// <summary>The second argument.</summary>
    Second,

    /// <summary>The third argument, or else the second.</summary>
    Third,

    /// <summary>The argument <c>label</c> or <c>lt</c>, or else the first.</summary>
    Label,

    /// <summary>The argument <c>text</c> or <c>quote</c>, or else the first, as a line of its own.</summary>
    Quotation,

    /// <summary>The first argument and the second in parentheses: a word and its reading.</summary>
    Reading,

    /// <summary>A number and its unit, or two numbers with a word between and their unit: as many arguments, with blanks between.</summary>
    Measure,

    /// <summary>The page's title.</summary>
    Title,

    Dash,
    MiddleDot,
    Apostrophe,
    EqualsSign,
    Blank,
}

/// <summary>
/// The templates that stand for text of the sentence around them: a language's name for a thing, a reading, a rare glyph, a
/// link to another Wikipedia. Without their text the sentence has a hole. All others are dropped.
/// </summary>
internal static class TextTemplates
{
    private const int LongestName = 48; // UTF-8 bytes

    private static readonly FrozenDictionary<string, TemplateText>.AlternateLookup<ReadOnlySpan<char>> Known =
        Create().GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>What a template leaves.</summary>
    /// <param name="name">As written between the braces and the first pipe.</param>
    public static TemplateText Find(ReadOnlySpan<byte> name)
    {
        name = name.Trim(" \n\t_"u8);
        if (name.Length is 0 or > LongestName)
            return TemplateText.Nothing;
        Span<char> characters = stackalloc char[LongestName];
        if (!Encoding.UTF8.TryGetChars(name, characters, out var length))
            return TemplateText.Nothing;
        characters = characters[..length];
        for (var index = 0; index < length; index++)
            characters[index] = characters[index] == '_' ? ' ' : char.ToLowerInvariant(characters[index]);
        if (Known.TryGetValue(characters, out var text))
            return text;
        // {{Lang-en|…}}, {{Lang-en-short|…}}, {{Lang-zh-hant|…}}
        return characters.StartsWith("lang-") ? TemplateText.First : TemplateText.Nothing;
    }

    private static FrozenDictionary<string, TemplateText> Create()
    {
        var known = new Dictionary<string, TemplateText>();
        Add(TemplateText.First,
            "nowrap,nobr,nobold,small,smaller,resize,big,larger,em,strong,bold,italic,sup,sub,underline,uline,下線,取消線,"
            + "傍点,圏点,文字囲み,補助漢字,補助漢字フォント,jis2004フォント,jis90フォント,cp932フォント,msjpフォント,拡張漢字,unicode,unicodeフォント,"
            + "要出典範囲,要検証範囲,要説明範囲,いつ範囲,誰範囲,独自研究範囲,正確性範囲,citation needed span,cn-span,"
            + "by,visible anchor,vanchor,nihongo,nihongo foot,sname,snamei,縦書き");
        Add(TemplateText.Second, "lang,color,font color,fontcolor,rtl-lang,script,audio");
        Add(TemplateText.Third, "langwithname,transl,transliteration");
        Add(TemplateText.Label, "仮リンク,ill,ill2,illm,interlanguage link,日本語版にない記事リンク");
        Add(TemplateText.Quotation, "quote,quotation,cquote,blockquote,引用,quote box,centered pull quote,bquote,quoteblock");
        Add(TemplateText.Reading, "読み仮名,読み仮名 ruby不使用,ruby,ルビ,ふりがな,ruby-ja,振り仮名");
        Add(TemplateText.Measure, "convert,cvt");
        Add(TemplateText.Title, "pagename,fullpagename,subpagename,basepagename");
        Add(TemplateText.Dash, "snd,spnd,ndash,spaced ndash,spaced en dash,mdash");
        Add(TemplateText.MiddleDot, "・,·,•,dot,bullet");
        Add(TemplateText.Apostrophe, "',`");
        Add(TemplateText.EqualsSign, "=");
        Add(TemplateText.Blank, "nbsp,spaces,space");
        return known.ToFrozenDictionary();

        void Add(TemplateText text, string names)
        {
            foreach (var name in names.Split(','))
                known.Add(name, text);
        }
    }
}
