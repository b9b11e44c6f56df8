namespace Streaming.Streams.Tokenization;

/// <summary>What a piece is for; values as in <c>sentencepiece_model.proto</c>.</summary>
internal enum PieceType : byte { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 }

/// <summary>Segmentation algorithm of a model; values as in <c>sentencepiece_model.proto</c>.</summary>
internal enum ModelType { Unigram = 1, Bpe = 2, Word = 3, Char = 4 }

/// <summary>An entry of the vocabulary; its position is its id, its score a log probability.</summary>
internal readonly record struct Piece(string Text, float Score, PieceType Type);

/// <summary>How text is normalised before segmentation (or after decoding); defaults are those of the file format.</summary>
internal sealed record NormalizerSpec
{
    /// <summary>Rules as <c>spm_train</c> compiles them (<see cref="CharacterRules"/>); empty for none.</summary>
    public byte[] CompiledRules { get; set; } = [];
    public bool AddDummyPrefix { get; set; } = true;
    public bool RemoveExtraWhitespaces { get; set; } = true;
    public bool EscapeWhitespaces { get; set; } = true;
}

/// <summary>What tokenising needs of a SentencePiece <c>.model</c> file (<c>ModelProto</c>).</summary>
internal sealed class SentencePieceModel
{
    public List<Piece> Pieces { get; } = [];

    /// <summary>SHA-256 of the file, in hexadecimal.</summary>
    public string Fingerprint { get; set; } = "";

    public ModelType Type { get; set; } = ModelType.Unigram;
    public bool TreatWhitespaceAsSuffix { get; set; }
    public bool ByteFallback { get; set; }

    /// <summary>A text that spells a byte's piece, <c>&lt;0x0A&gt;</c>, becomes it, as in the tokenizers library; SentencePiece takes it for text.</summary>
    public bool BytePiecesMatchText { get; set; }

    public string BosPiece { get; set; } = "<s>";
    public string EosPiece { get; set; } = "</s>";
    public string PadPiece { get; set; } = "<pad>";

    /// <summary>What the unknown piece decodes to.</summary>
    public string UnknownSurface { get; set; } = " \u2047 ";

    public bool HasTrainer { get; set; }
    public NormalizerSpec? Normalizer { get; set; }
    public NormalizerSpec? Denormalizer { get; set; }
}
