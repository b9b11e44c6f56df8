namespace Streaming.Streams.Cleaning;

/// <summary>What counts as a duplicate of earlier text of the same source and epoch, and how much of it is remembered.</summary>
public sealed record DuplicateOptions
{
    /// <summary>Least memory of an index, in bytes.</summary>
    public const long LeastMemoryBytes = 32L << 20;

    /// <summary>Most memory of an index, in bytes.</summary>
    public const long MostMemoryBytes = 32L << 30;

    /// <summary>Nothing is a duplicate.</summary>
    public static DuplicateOptions Off { get; } = new();

    /// <summary>Documents, near ones too, and long lines.</summary>
    public static DuplicateOptions Web { get; } = new() { Documents = true, NearDocuments = true, Lines = true };

    /// <summary>Drop documents whose letters and digits are those of an earlier one: spaces, punctuation, width and case do not count.</summary>
    public bool Documents { get; init; }

    /// <summary>Drop documents of which most is an earlier one's.</summary>
    public bool NearDocuments { get; init; }

    /// <summary>
    /// Share of common runs of five characters (Jaccard index) from which on two documents are nearly the same: such a pair
    /// is found with at least 90 %; <see cref="MinHash"/> gives the probability for every other share.
    /// </summary>
    public double Similarity { get; init; } = 0.8;

    /// <summary>Entries in the index for each document; more find near-duplicates with a steeper curve and cost memory.</summary>
    public int Bands { get; init; } = 14;

    /// <summary>Drop lines that stood in an earlier document, or earlier in the same one.</summary>
    public bool Lines { get; init; }

    /// <summary>Letters and digits of a line from which it may be a duplicate: prose repeats short lines.</summary>
    public int LineCharacters { get; init; } = 30;

    /// <summary>Memory of the source's index in bytes; when it is full, the oldest entries are forgotten. About 20.7 bytes an entry.</summary>
    public long MemoryBytes { get; init; } = 256L << 20;

    /// <summary>Anything is looked for.</summary>
    public bool IsOn => Documents || NearDocuments || Lines;

    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range; names the property.</exception>
    public void Validate()
    {
        if (Similarity is not (>= 0.3 and <= 0.98))
            throw new ArgumentOutOfRangeException(nameof(Similarity), Similarity, "the similarity is from 0.3 to 0.98");
        if (Bands is not (>= 1 and <= 64))
            throw new ArgumentOutOfRangeException(nameof(Bands), Bands, "bands are from 1 to 64");
        if (LineCharacters < 1)
            throw new ArgumentOutOfRangeException(nameof(LineCharacters), LineCharacters, "a line has 1 character and more");
        if (MemoryBytes is < LeastMemoryBytes or > MostMemoryBytes)
            throw new ArgumentOutOfRangeException(nameof(MemoryBytes), MemoryBytes, $"the memory is from {LeastMemoryBytes} to {MostMemoryBytes} bytes");
    }
}
