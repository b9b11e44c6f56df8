namespace Streaming.Streams.Tokenization;

/// <summary>Everything that a <c>.model</c> file says, as plain arrays: for writing it in other programs' formats.</summary>
public sealed record VocabularyTable
{
    /// <summary>Text of each piece, in the order of the ids.</summary>
    public required IReadOnlyList<string> Pieces { get; init; }

    /// <summary>Log probability of each piece.</summary>
    public required IReadOnlyList<float> Scores { get; init; }

    /// <summary>1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; as in <c>sentencepiece_model.proto</c>.</summary>
    public required IReadOnlyList<int> Types { get; init; }

    /// <summary>
    /// What a user-defined piece weighs against other segmentations of the same text (unigram): the reference puts this in place of
    /// the score that stands in the file.
    /// </summary>
    public required Func<string, float> UserDefinedScore { get; init; }

    /// <summary>User-defined pieces that the normalisation rules would rewrite, were they not kept from them.</summary>
    public required IReadOnlyList<string> PiecesKeptFromRules { get; init; }

    /// <summary>Normalisation rules as <c>spm_train</c> compiles them; empty for none.</summary>
    public required byte[] CompiledRules { get; init; }

    /// <summary>Pairs are joined by score; else the most probable segmentation is taken.</summary>
    public required bool IsBytePair { get; init; }

    public required bool AddDummyPrefix { get; init; }
    public required bool RemoveExtraWhitespaces { get; init; }
    public required bool EscapeWhitespaces { get; init; }
    public required bool TreatWhitespaceAsSuffix { get; init; }

    /// <param name="path">A <c>.model</c> file, unigram or byte pairs.</param>
    /// <exception cref="InvalidDataException">The file is none.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static VocabularyTable Read(string path)
    {
        var tokenizer = PieceTokenizer.Load(path); // refuses what is no sound model
        var model = SentencePieceModelReader.Read(path);
        var normalizer = model.Normalizer!;
        var rulesAlone = new SentencePieceNormalizer(new NormalizerSpec { CompiledRules = normalizer.CompiledRules, AddDummyPrefix = false, RemoveExtraWhitespaces = false }, spaceAsSuffix: false, userDefined: null);
        var highest = new Vocabulary(model).HighestScore;
        return new VocabularyTable
        {
            Pieces = [.. model.Pieces.Select(piece => piece.Text)],
            Scores = [.. model.Pieces.Select(piece => piece.Score)],
            Types = [.. model.Pieces.Select(piece => (int)piece.Type)],
            UserDefinedScore = piece => (float)ViterbiSegmenter.UserDefinedScore(piece, highest),
            PiecesKeptFromRules = [.. model.Pieces.Where(piece => piece.Type == PieceType.UserDefined && rulesAlone.Normalize(piece.Text) != piece.Text.Replace(' ', SentencePieceNormalizer.EscapedSpace)).Select(piece => piece.Text)],
            CompiledRules = normalizer.CompiledRules,
            IsBytePair = tokenizer.IsBytePair,
            AddDummyPrefix = normalizer.AddDummyPrefix,
            RemoveExtraWhitespaces = normalizer.RemoveExtraWhitespaces,
            EscapeWhitespaces = normalizer.EscapeWhitespaces,
            TreatWhitespaceAsSuffix = model.TreatWhitespaceAsSuffix,
        };
    }
}
