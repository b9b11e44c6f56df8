namespace Streaming.Streams;

/// <summary>What a stream of token batches is made of.</summary>
public sealed record PipelineOptions
{
    /// <summary>Files, globs (<c>data/*.xz</c>) or <c>-</c> for standard input; read in this order, globs sorted by name.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>SentencePiece model file.</summary>
    public required string Tokenizer { get; init; }

    /// <summary>Tokens a sequence.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Sequences a batch: the micro-batch.</summary>
    public required int Rows { get; init; }

    /// <summary>Normalise as neologdn does and split into sentences; otherwise each line is taken as it is.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Append the tokenizer's end-of-sentence id after each line of text.</summary>
    public bool AppendEndOfSentence { get; init; } = true;

    /// <summary>Share of documents held out for validation, 0 up to (not including) 1, chosen by a hash of the document's first line.</summary>
    public double ValidationFraction { get; init; } = 0.05;

    /// <summary>Passes over the sources; 0 repeats for ever.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Tokenisations under way at once.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>Batches that wait for the trainer at most.</summary>
    public int QueueCapacity { get; init; } = 8;

    /// <summary>UTF-8 bytes of text that go from stage to stage at a time. No effect on the tokens.</summary>
    internal int TextBatchBytes { get; init; } = 64 << 10;
}

/// <summary>Which side of the held-out split a stream yields.</summary>
public enum Split { Train, Validation }
