using Microsoft.ML.Tokenizers;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// A SentencePiece unigram model with byte fallback: encodes as <c>spm_encode</c> and decodes as <c>spm_decode</c> do, id for
/// id. Immutable, so that all threads may share it; the hot path is an <see cref="Encoder"/> each.
/// Reference: https://github.com/google/sentencepiece, 0.1.97.
/// </summary>
public sealed partial class UnigramTokenizer : Tokenizer
{
    private readonly Vocabulary _vocabulary;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly PieceDecoding _decoding;

    private UnigramTokenizer(SentencePieceModel model)
    {
        if (model.Type != ModelType.Unigram)
            throw new FormatException($"it is a {model.Type.ToString().ToUpperInvariant()} model, of which only UNIGRAM is supported");
        _vocabulary = new Vocabulary(model);
        _normalizer = new SentencePieceNormalizer(model.Normalizer!, model.TreatWhitespaceAsSuffix, _vocabulary.UserDefined);
        _decoding = new PieceDecoding(model, _vocabulary);
        BosId = ControlId(model.BosPiece);
        EosId = ControlId(model.EosPiece);
        PadId = ControlId(model.PadPiece);
        Fingerprint = model.Fingerprint;
    }

    /// <summary>Loads a <c>.model</c> file.</summary>
    /// <exception cref="InvalidDataException">The file is no SentencePiece unigram model, or a broken one.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static UnigramTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var model = SentencePieceModelReader.Read(path);
        try
        {
            return new UnigramTokenizer(model);
        }
        catch (FormatException wrong)
        {
            throw new InvalidDataException(
                $"{path} is not a usable SentencePiece model: {wrong.Message}; train one with spm_train --model_type=unigram.", wrong);
        }
    }

    /// <summary>SHA-256 of the model's file, in hexadecimal: two models with the same one encode alike.</summary>
    public string Fingerprint { get; }

    /// <summary>Pieces of the model; ids are 0 up to (not including) this.</summary>
    public int VocabularySize => _vocabulary.Count;

    /// <summary>What stands for text that no piece covers; with byte fallback it is never encoded to.</summary>
    public int UnknownId => _vocabulary.UnknownId;

    /// <summary>Begin of sentence; null where the model has none.</summary>
    public int? BosId { get; }

    /// <summary>End of sentence; null where the model has none.</summary>
    public int? EosId { get; }

    /// <summary>Padding; null where the model has none.</summary>
    public int? PadId { get; }

    /// <summary>Whether characters that no piece covers become the pieces of their UTF-8 bytes.</summary>
    public bool HasByteFallback => _vocabulary.HasByteFallback;

    /// <summary>The piece of an id, with U+2581 for a space; a byte piece reads <c>&lt;0x0A&gt;</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public string IdToPiece(int id)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)id, (uint)VocabularySize, nameof(id));
        return _vocabulary[id].Text;
    }

    /// <summary>The id of a piece; <see cref="UnknownId"/> where there is none.</summary>
    public int PieceToId(ReadOnlySpan<char> piece)
    {
        var id = _vocabulary.Find(piece);
        return id >= 0 ? id : UnknownId;
    }

    /// <summary>What one thread encodes with: it reuses its scratch memory.</summary>
    public Encoder CreateEncoder() => new(this);

    /// <summary>What turns ids into text as they come; one for each text.</summary>
    public IncrementalDecoder CreateDecoder() => new(_decoding);

    private int? ControlId(string piece) =>
        _vocabulary.Find(piece) is >= 0 and var id && _vocabulary[id].Type == PieceType.Control ? id : null;

    /// <summary>Encodes text without allocating, once its scratch memory fits the longest text. Not thread-safe.</summary>
    public sealed class Encoder
    {
        private readonly SentencePieceNormalizer _normalizer;
        private readonly ViterbiSegmenter _segmenter;
        private readonly CharacterBuffer _scratch = new();

        internal Encoder(UnigramTokenizer tokenizer)
        {
            _normalizer = tokenizer._normalizer;
            _segmenter = new ViterbiSegmenter(tokenizer._vocabulary);
        }

        /// <summary>Appends the ids of <paramref name="text"/> to <paramref name="ids"/>; no begin or end of sentence is added.</summary>
        public void Encode(ReadOnlySpan<char> text, TokenBuffer ids)
        {
            ArgumentNullException.ThrowIfNull(ids);
            _segmenter.Segment(_normalizer.Normalize(text, _scratch), ids, ends: null);
        }

        /// <summary>The normalised text (valid until the next call), its ids and where each ends in it.</summary>
        internal ReadOnlySpan<char> Encode(ReadOnlySpan<char> text, bool normalize, TokenBuffer ids, TokenBuffer ends)
        {
            var normalized = normalize ? _normalizer.Normalize(text, _scratch) : SentencePieceNormalizer.WithoutLoneSurrogates(text);
            _segmenter.Segment(normalized, ids, ends);
            return normalized;
        }
    }
}
