using System.Collections.Frozen;

namespace Streaming.Streams.Wikipedia;

/// <summary>What becomes of an HTML or extension tag.</summary>
internal enum TagKind : byte
{
    /// <summary>No tag of MediaWiki's: its characters are text.</summary>
    Unknown,

    /// <summary>The tag goes, its content stays in the line.</summary>
    Inline,

    /// <summary>As <see cref="Inline"/>, and the line is broken here.</summary>
    Block,

    /// <summary>Becomes a blank.</summary>
    Space,

    /// <summary>Goes with its content, which is no wikitext: it ends at the first closing tag.</summary>
    Opaque,

    /// <summary>Its content is text without markup.</summary>
    NoWiki,

    /// <summary>Goes with its content, which is wikitext and may hold the same tag again.</summary>
    Element,

    /// <summary>An HTML list: an <see cref="Element"/> where lists are dropped, a <see cref="Block"/> where they are kept.</summary>
    List,

    /// <summary>The reading of a ruby text: its content stands in parentheses.</summary>
    Reading,
}

/// <summary>The tags that MediaWiki and its extensions know, by name.</summary>
internal static class HtmlTags
{
    public const int LongestName = 20;

    private static readonly FrozenDictionary<string, (TagKind Kind, byte Number)>.AlternateLookup<ReadOnlySpan<char>> Known =
        Create().GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Tags there are; <see cref="Find"/> numbers them.</summary>
    public static int Count => Known.Dictionary.Count;

    /// <summary>The kind of a tag and its number.</summary>
    /// <param name="name">As written, in any case.</param>
    public static TagKind Find(ReadOnlySpan<byte> name, out byte number)
    {
        number = 0;
        if (name.Length > LongestName)
            return TagKind.Unknown;
        Span<char> characters = stackalloc char[LongestName];
        for (var index = 0; index < name.Length; index++)
            characters[index] = char.ToLowerInvariant((char)name[index]);
        if (!Known.TryGetValue(characters[..name.Length], out var tag))
            return TagKind.Unknown;
        number = tag.Number;
        return tag.Kind;
    }

    private static FrozenDictionary<string, (TagKind Kind, byte Number)> Create()
    {
        var tags = new Dictionary<string, (TagKind, byte)>();
        Add(TagKind.Inline,
            "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr noinclude "
            + "onlyinclude q rb rbc rtc ruby s samp section small span strike strong sub sup time tt tvar u var wbr languages img");
        Add(TagKind.Block,
            "address article aside blockquote center dd div dt figcaption figure h1 h2 h3 h4 h5 h6 hr li p poem translate "
            + "tr td th caption tbody thead tfoot col colgroup plaintext");
        Add(TagKind.Space, "br");
        Add(TagKind.Opaque,
            "abc categorytree ce charinsert chem dynamicpagelist form gallery graph hiero imagemap includeonly indicator "
            + "inputbox input maplink mapframe math music option phonos pagelist pages pre quiz ref references rp score script "
            + "select source style syntaxhighlight templatedata templatestyles textarea timeline video audio");
        Add(TagKind.NoWiki, "nowiki");
        Add(TagKind.Element, "table");
        Add(TagKind.List, "ul ol dl menu dir");
        Add(TagKind.Reading, "rt");
        return tags.ToFrozenDictionary();

        void Add(TagKind kind, string names)
        {
            foreach (var name in names.Split(' '))
                tags.Add(name, (kind, (byte)tags.Count));
        }
    }
}
