namespace Streaming.Streams.Wikipedia;

/// <summary>What becomes of a stretch of wikitext.</summary>
internal enum MarkupKind : byte
{
    /// <summary>Delimiters without a partner, which read as text.</summary>
    Text,

    /// <summary>Goes without a trace.</summary>
    Silent,

    /// <summary>Goes and leaves a place where brackets may stand empty.</summary>
    Removed,

    /// <summary>A blank takes its place.</summary>
    Space,

    /// <summary>The line is broken here.</summary>
    LineBreak,

    /// <summary>Content between tags that is text without markup.</summary>
    NoWiki,

    /// <summary>A template that leaves text: see <see cref="TextTemplates"/>.</summary>
    Template,

    /// <summary>A link to an article.</summary>
    Link,

    /// <summary>A link to a picture or a category that is not closed: goes up to the end of its line.</summary>
    BrokenLink,

    /// <summary>The start of a table that is not closed: goes up to the end of its line.</summary>
    BrokenTable,

    /// <summary>A link to an address, in single brackets.</summary>
    External,

    /// <summary>A choice between scripts of one language, <c>-{ }-</c>.</summary>
    Variant,

    /// <summary>The reading of a ruby text.</summary>
    Reading,
}

/// <summary>
/// A stretch of wikitext that is not plain. Spans come in the order of their starts and are nested or apart, so that
/// <see cref="Next"/> leads over all that lies within.
/// </summary>
internal struct MarkupSpan
{
    public MarkupKind Kind;

    /// <summary>For a template that leaves text: which.</summary>
    public TemplateText Template;

    /// <summary>Place of the first delimiter's first byte.</summary>
    public int Start;

    /// <summary>Place after the last delimiter.</summary>
    public int End;

    /// <summary>The content between the delimiters.</summary>
    public int ContentStart, ContentEnd;

    /// <summary>Places of the first and the last pipe that belong to this span and to none within; -1 without one.</summary>
    public int FirstPipe, LastPipe;

    /// <summary>Index of the first span that begins after the end of this one.</summary>
    public int Next;
}
