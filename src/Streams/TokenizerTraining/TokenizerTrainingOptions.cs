namespace Streaming.Streams.TokenizerTraining;

/// <summary>What a unigram model is trained with; names and defaults are the recipe's, or <c>spm_train</c>'s where the recipe is silent.</summary>
public sealed record TokenizerTrainingOptions
{
    /// <summary>Pieces of the model, special ones and bytes included.</summary>
    public int VocabularySize { get; init; } = 50_000;

    /// <summary>Share of the text's characters that get a piece of their own, the most frequent first; above 0, at most 1.</summary>
    public double CharacterCoverage { get; init; } = 0.9995;

    /// <summary>Adds a piece for each byte, which characters without a piece become.</summary>
    public bool ByteFallback { get; init; } = true;

    /// <summary>Puts a space before every text.</summary>
    public bool AddDummyPrefix { get; init; }

    /// <summary>Sentences that are trained on at most, drawn evenly from all; 0 takes all, whatever memory they need.</summary>
    public int InputSentenceSize { get; init; } = 12_000_000;

    /// <summary>Characters of a piece at most.</summary>
    public int MaxPieceLength { get; init; } = 16;

    /// <summary>Seed of the draw.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Threads at work; the model does not depend on it.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    public SpecialPieces Special { get; init; } = new();

    /// <summary>UTF-8 bytes of a sentence past which it is left out, as <c>spm_train</c> does.</summary>
    internal int LongestSentence_bytes { get; init; } = 4192;

    /// <summary>Substrings that the first model consists of, besides the characters.</summary>
    internal int SeedPieces { get; init; } = 1_000_000;

    /// <summary>Share of the pieces that a round of pruning leaves.</summary>
    internal double ShrinkingFactor { get; init; } = 0.75;

    /// <summary>EM iterations between two rounds of pruning.</summary>
    internal int SubIterations { get; init; } = 2;
}

/// <summary>The pieces that stand for no text: their ids are their places in this order.</summary>
public sealed record SpecialPieces
{
    public string Pad { get; init; } = "[PAD]";
    public string Unknown { get; init; } = "[UNK]";
    public string Begin { get; init; } = "<s>";
    public string End { get; init; } = "</s>";

    public const int PadId = 0, UnknownId = 1, BeginId = 2, EndId = 3;

    public const int Count = 4;
}
