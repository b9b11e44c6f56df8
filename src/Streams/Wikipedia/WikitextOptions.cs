namespace Streaming.Streams.Wikipedia;

/// <summary>What becomes of a heading whose section has text; the heading of a section without text is always dropped.</summary>
public enum HeadingStyle
{
    /// <summary>A line that ends in a full stop, unless it ends in ! or ?, as WikiExtractor writes it.</summary>
    Sentence,

    /// <summary>A line as it stands in the article.</summary>
    Plain,

    Drop,
}

/// <summary>What is kept of an article. The defaults are what WikiExtractor does.</summary>
public sealed record WikitextOptions
{
    public HeadingStyle Headings { get; init; } = HeadingStyle.Sentence;

    /// <summary>Keep the items of lists (<c>*</c>, <c>#</c>, <c>;</c>), one a line without the marker. Lines that begin indented (<c>:</c>) are kept always.</summary>
    public bool KeepLists { get; init; }

    /// <summary>Lines with fewer characters are dropped; 0 keeps all. See <see cref="LineRules"/>.</summary>
    public int MinimumLineCharacters { get; init; }
}
