using System.Security.Cryptography;
using System.Text;
using Streaming.Streams.Cleaning;

namespace Streaming.Streams;

/// <summary>One source of text: files that are read one after the other, and how they are read, cleaned and mixed.</summary>
public sealed record SourceOptions
{
    /// <summary>What the source is called in cursors, counters and messages; no two sources share one.</summary>
    public string Name { get; init; } = "text";

    /// <summary>Files, globs (<c>data/*.xz</c>) or <c>-</c> for standard input; read in this order, globs sorted by name.</summary>
    public required IReadOnlyList<string> Paths { get; init; }

    /// <summary>What the files hold.</summary>
    public SourceKind Kind { get; init; }

    /// <summary>The field that holds a document's text, in JSON Lines and Parquet.</summary>
    public string TextField { get; init; } = "text";

    /// <summary>The source's share of the tokens is its weight among the weights of all sources that have text left. More than 0.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Passes over the source, after which it leaves the mix; 0 repeats for ever. Held-out text is read once.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Rules for lines and documents, duplicates; null takes the text as it is.</summary>
    public CleaningOptions? Cleaning { get; init; }

    /// <summary>How the files are read: the same where a run is resumed.</summary>
    internal string Reading => Kind is SourceKind.Lines or SourceKind.Wikipedia ? $"{Kind}" : $"{Kind}, text in {TextField}";

    /// <summary>A fingerprint of the rules by which text is kept, likewise; null where all is.</summary>
    internal string? CleaningIdentity => Cleaning is null
        ? null
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes((Cleaning with { RejectedFile = null }).ToString())))[..24];

    /// <summary>A source of plain files.</summary>
    public static implicit operator SourceOptions(string[] paths) => new() { Paths = paths };

    /// <inheritdoc cref="op_Implicit(string[])"/>
    public static implicit operator SourceOptions(string path) => new() { Paths = [path] };
}

/// <summary>What the files of a source hold.</summary>
public enum SourceKind
{
    /// <summary>Told for each file by its name: <c>.jsonl</c>, <c>.ndjson</c>, <c>.parquet</c>, <c>.xml</c>, each compressed or not; all else is lines.</summary>
    Auto,

    /// <summary>A line a paragraph, an empty line between documents, as in cc100.</summary>
    Lines,

    /// <summary>A MediaWiki export.</summary>
    Wikipedia,

    /// <summary>A JSON object a line, the text in one of its fields.</summary>
    JsonLines,

    /// <summary>Parquet, the text in one of the columns.</summary>
    Parquet,
}
