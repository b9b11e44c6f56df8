using Microsoft.ML.Tokenizers;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization.BytePairs;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// A SentencePiece model, unigram or byte pairs: encodes as <c>spm_encode</c> and decodes as <c>spm_decode</c> do, id for id.
/// Reference: https://github.com/google/sentencepiece, 0.1.97.
/// </summary>
public sealed class PieceTokenizer : TextTokenizer
{
    private readonly Vocabulary _vocabulary;
    private readonly BytePairModel? _pairs; // null for a unigram model
    private readonly SentencePieceNormalizer _normalizer;
    private readonly PieceDecoding _decoding;

    private PieceTokenizer(SentencePieceModel model)
    {
        if (model.Type is not (ModelType.Unigram or ModelType.Bpe))
            throw new FormatException($"it is a {model.Type.ToString().ToUpperInvariant()} model, of which only UNIGRAM and BPE are supported");
        _vocabulary = new Vocabulary(model);
        _pairs = model.Type == ModelType.Bpe ? SentencePieceMerges.Build(model, _vocabulary) : null;
        _normalizer = new SentencePieceNormalizer(model.Normalizer!, model.TreatWhitespaceAsSuffix, _vocabulary.UserDefined);
        _decoding = new PieceDecoding(model, _vocabulary);
        BosId = ControlId(model.BosPiece);
        EosId = ControlId(model.EosPiece);
        PadId = ControlId(model.PadPiece);
        Fingerprint = model.Fingerprint;
    }

    /// <summary>Loads a <c>.model</c> file.</summary>
    /// <exception cref="InvalidDataException">The file is no SentencePiece model, a broken one, or one of words or characters.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static new PieceTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var model = SentencePieceModelReader.Read(path);
        try
        {
            return new PieceTokenizer(model);
        }
        catch (FormatException wrong)
        {
            throw new InvalidDataException(
                $"{path} is not a usable SentencePiece model: {wrong.Message}; train one with spm_train --model_type=unigram or bpe.", wrong);
        }
    }

    /// <summary>Whether the model joins pairs; else it is a unigram model.</summary>
    public bool IsBytePair => _pairs is not null;

    /// <inheritdoc/>
    public override string Fingerprint { get; }

    /// <inheritdoc/>
    public override int VocabularySize => _vocabulary.Count;

    /// <inheritdoc/>
    public override int UnknownId => _vocabulary.UnknownId;

    /// <inheritdoc/>
    public override int? BosId { get; }

    /// <inheritdoc/>
    public override int? EosId { get; }

    /// <inheritdoc/>
    public override int? PadId { get; }

    /// <inheritdoc/>
    public override bool HasByteFallback => _vocabulary.HasByteFallback;

    /// <inheritdoc/>
    public override Normalizer? Normalizer => _normalizer;

    /// <inheritdoc/>
    public override string IdToPiece(int id)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)id, (uint)VocabularySize, nameof(id));
        return _vocabulary[id].Text;
    }

    /// <inheritdoc/>
    public override int PieceToId(ReadOnlySpan<char> piece)
    {
        var id = _vocabulary.Find(piece);
        return id >= 0 ? id : UnknownId;
    }

    /// <inheritdoc/>
    public override TextEncoder CreateEncoder() =>
        new Encoder(_normalizer, _pairs is null ? new ViterbiSegmenter(_vocabulary) : new BytePairSegmenter(_pairs));

    internal override TextDecoding BeginDecoding() => new PieceDecoding.State(_decoding);

    private int? ControlId(string piece) =>
        _vocabulary.Find(piece) is >= 0 and var id && _vocabulary[id].Type == PieceType.Control ? id : null;

    private sealed class Encoder(SentencePieceNormalizer normalizer, Segmenter segmenter) : TextEncoder
    {
        private readonly CharacterBuffer _scratch = new();

        internal override ReadOnlySpan<char> Encode(ReadOnlySpan<char> text, bool normalize, TokenBuffer ids, TokenBuffer? ends)
        {
            var normalized = normalize ? normalizer.Normalize(text, _scratch) : SentencePieceNormalizer.WithoutLoneSurrogates(text);
            segmenter.Segment(normalized, ids, ends);
            return normalized;
        }
    }
}
