namespace Streaming.Streams.Wikipedia;

/// <summary>Kinds of markup that open and close, and whose content is markup again.</summary>
internal enum OpenKind : byte { Template, Link, Table, External, Variant, Element }

/// <summary>Markup that is not closed yet.</summary>
/// <param name="Kind">What closes it.</param>
/// <param name="Tag">Number of the tag, for an element.</param>
/// <param name="Span">Index of its span.</param>
internal readonly record struct OpenEntry(OpenKind Kind, byte Tag, int Span)
{
    /// <summary>A single bracket stands in the label: a third closing one belongs to it.</summary>
    public bool HasBracket { get; init; }

    /// <summary>Links that were open around a template or a table, which their closing brackets cannot reach into.</summary>
    public int OuterLinks { get; init; }
}

/// <summary>
/// The markup that is open at a place of the text, innermost last. It knows how many of each kind are open, so that a
/// closing delimiter without a partner costs nothing.
/// </summary>
internal sealed class OpenMarkup
{
    private readonly int[] _kinds = new int[Enum.GetValues<OpenKind>().Length];
    private readonly int[] _tags = new int[HtmlTags.Count];
    private OpenEntry[] _entries = new OpenEntry[64];

    public int Depth { get; private set; }

    /// <summary>The innermost; <see cref="Depth"/> must not be 0.</summary>
    public ref OpenEntry Top => ref _entries[Depth - 1];

    /// <summary>Whether the innermost is of a kind.</summary>
    public bool IsTop(OpenKind kind) => Depth > 0 && Top.Kind == kind;

    /// <summary>How many of a kind are open; of links, those that a closing delimiter can reach.</summary>
    public int Count(OpenKind kind) => _kinds[(int)kind];

    /// <summary>How many elements of a tag are open.</summary>
    public int CountTag(byte tag) => _tags[tag];

    public void Push(OpenEntry entry)
    {
        if (Depth == _entries.Length)
            Array.Resize(ref _entries, Depth * 2);
        if (IsWall(entry.Kind))
        {
            entry = entry with { OuterLinks = _kinds[(int)OpenKind.Link] };
            _kinds[(int)OpenKind.Link] = 0;
        }
        _entries[Depth++] = entry;
        _kinds[(int)entry.Kind]++;
        if (entry.Kind == OpenKind.Element)
            _tags[entry.Tag]++;
    }

    public OpenEntry Pop()
    {
        var entry = _entries[--Depth];
        _kinds[(int)entry.Kind]--;
        if (entry.Kind == OpenKind.Element)
            _tags[entry.Tag]--;
        if (IsWall(entry.Kind))
            _kinds[(int)OpenKind.Link] = entry.OuterLinks;
        return entry;
    }

    public void Clear()
    {
        while (Depth > 0)
            Pop();
    }

    /// <summary>Links do not reach across these: a stray bracket in a template must not tear it.</summary>
    private static bool IsWall(OpenKind kind) => kind is OpenKind.Template or OpenKind.Table;
}
