using Streaming.Streams.Instructions;
using Streaming.Streams.Sources.Http;

namespace Streaming.Streams;

/// <summary>What a stream of token batches is made of.</summary>
public sealed record PipelineOptions
{
    /// <summary>What is read and mixed, at least one, each under a name of its own.</summary>
    public required IReadOnlyList<SourceOptions> Sources { get; init; }

    /// <summary>SentencePiece model file.</summary>
    public required string Tokenizer { get; init; }

    /// <summary>Tokens a sequence.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Sequences a batch: the micro-batch.</summary>
    public required int Rows { get; init; }

    /// <summary>Normalise as neologdn does and split into sentences; otherwise each line is taken as it is, as instructions always are.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Append the tokenizer's end-of-sentence id after each line of text; an answer has one in any case.</summary>
    public bool AppendEndOfSentence { get; init; } = true;

    /// <summary>Share of the text held out for validation, 0 up to (not including) 1.</summary>
    public double ValidationFraction { get; init; } = 0.05;

    /// <summary>Which text that is.</summary>
    public ValidationRule ValidationRule { get; init; }

    /// <summary>Order of the training documents; null keeps that of the text.</summary>
    public ShuffleOptions? Shuffle { get; init; }

    /// <summary>Tell the trainer where documents begin (<see cref="Batches.TokenBatch.DocumentStarts"/>), so that attention does not cross them.</summary>
    public bool DocumentMask { get; init; }

    /// <summary>Batches say which documents they are made of (<see cref="Batches.TokenBatch.Documents"/>); the tokens are the same.</summary>
    public bool RecordDocuments { get; init; }

    /// <summary>The sources hold records of instructions, packed whole and under a document mask, instead of running text; null elsewhere.</summary>
    public InstructionOptions? Instructions { get; init; }

    /// <summary>Folder in which the blocks of each source are kept for later epochs and runs; null keeps none.</summary>
    public string? TokenCache { get; init; }

    /// <summary>Batches of text that are normalised and tokenised at once, for each source.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>Batches that wait for the trainer at most.</summary>
    public int QueueCapacity { get; init; } = 8;

    /// <summary>How sources that are URLs are read.</summary>
    public HttpOptions Http { get; init; } = HttpOptions.Default;

    /// <summary>
    /// Told, in a sentence and on any thread, of what the path puts up with: a server that is asked again, the first record of a
    /// source that is passed over. Must not block.
    /// </summary>
    public Action<string>? OnNotice { get; init; }

    /// <summary>UTF-8 bytes of text that go from stage to stage at a time. No effect on the tokens.</summary>
    internal int TextBatchBytes { get; init; } = 64 << 10;

    /// <summary>The same with so many passes over every source; 0 repeats for ever.</summary>
    public PipelineOptions WithEpochs(int epochs) => this with { Sources = [.. Sources.Select(source => source with { Epochs = epochs })] };
}

/// <summary>Which side of the held-out split a stream yields.</summary>
public enum Split { Train, Validation }

/// <summary>Which part of the text is held out. A document is on one side as a whole.</summary>
public enum ValidationRule
{
    /// <summary>Documents chosen by a hash of their first line, all over the text.</summary>
    Hash,

    /// <summary>The last share of each file, by uncompressed bytes; the document that straddles the place is trained on.</summary>
    Tail,
}

/// <summary>
/// Documents are permuted within windows, and the files of a source from epoch to epoch. A window ends after so many
/// documents or bytes, whichever is first, and at the end of an epoch. Two windows are in memory at a time.
/// </summary>
public sealed record ShuffleOptions
{
    /// <summary>Documents a window at most.</summary>
    public int Documents { get; init; } = 20_000;

    /// <summary>Bytes of a window's tokens at most, four a token; a longer document is a window by itself.</summary>
    public long Bytes { get; init; } = 64 << 20;

    /// <summary>Another seed, another order.</summary>
    public long Seed { get; init; }
}
