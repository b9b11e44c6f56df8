using System.Globalization;
using System.Text;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// Trains a SentencePiece unigram model from sentences in one pass over them. Sentences are normalised by the model's own
/// rules (<c>nmt_nfkc</c>, spaces folded), so that the model sees in use what it was trained on.
/// </summary>
public sealed class TokenizerTrainer
{
    private const int SentencesAReport = 10_000;

    private readonly TokenizerTrainingOptions _options;
    private readonly IProgress<TrainingProgress>? _progress;
    private readonly NormalizerSpec _normalizer;
    private long _skipped;

    /// <exception cref="TokenizerTrainingException">An option is out of its range.</exception>
    public TokenizerTrainer(TokenizerTrainingOptions options, IProgress<TrainingProgress>? progress = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxPieceLength);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Workers);
        ArgumentOutOfRangeException.ThrowIfNegative(options.InputSentenceSize);
        if (options.CharacterCoverage is not (> 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(options), options.CharacterCoverage, "the character coverage is above 0 and at most 1");
        (_options, _progress) = (options, progress);
        _normalizer = new NormalizerSpec { CompiledRules = EmbeddedData.ReadNormalizationRules(), AddDummyPrefix = options.AddDummyPrefix };
    }

    /// <summary>The bytes of a <c>.model</c> file.</summary>
    /// <param name="sentences">Batches of sentences, each used up before the next is asked for; empty sentences count for nothing.</param>
    /// <param name="stop">Ends the training.</param>
    /// <exception cref="TokenizerTrainingException">The text is empty, or does not fit the vocabulary.</exception>
    /// <exception cref="OperationCanceledException">The training was ended.</exception>
    public byte[] Train(IEnumerable<TextBatch> sentences, CancellationToken stop)
    {
        var runs = Cut(Draw(sentences, stop), stop);
        var reserved = SpecialPieces.Count + (_options.ByteFallback ? 256 : 0);
        var alphabet = runs.Alphabet;
        if (reserved + alphabet.Count > _options.VocabularySize)
            throw new TokenizerTrainingException(string.Create(CultureInfo.InvariantCulture,
                $"a vocabulary of {_options.VocabularySize} pieces cannot hold the {alphabet.Count} characters that cover {_options.CharacterCoverage:P2} of the text and {reserved} special pieces; ask for at least {reserved + alphabet.Count}, or for a lower character coverage."));
        var pieces = new UnigramTrainer(_options, _progress, stop).Train(runs, _options.VocabularySize - reserved);
        if (reserved + pieces.Count < _options.VocabularySize)
            throw new TokenizerTrainingException(
                $"the text is too small for a vocabulary of {_options.VocabularySize} pieces; ask for at most {LargestThatFits(runs, reserved, reserved + pieces.Count, stop)}, or give more text.");
        return SentencePieceModelWriter.Write(ToModel(pieces), _options);
    }

    // What a training for fewer pieces leaves may again be a little less.
    private int LargestThatFits(TextRuns runs, int reserved, int size, CancellationToken stop)
    {
        while (true)
        {
            var options = _options with { VocabularySize = size };
            var left = reserved + new UnigramTrainer(options, progress: null, stop).Train(runs, size - reserved).Count;
            if (left >= size)
                return size;
            size = left;
        }
    }

    private SentenceReservoir Draw(IEnumerable<TextBatch> sentences, CancellationToken stop)
    {
        var reservoir = new SentenceReservoir(_options.InputSentenceSize, _options.Seed);
        var normalizer = new SentencePieceNormalizer(_normalizer, spaceAsSuffix: false, userDefined: null);
        var scratch = new CharacterBuffer();
        var nextReport = 0L;
        foreach (var batch in sentences)
        {
            stop.ThrowIfCancellationRequested();
            for (var index = 0; index < batch.Count; index++)
            {
                var sentence = batch[index];
                if (sentence.IsEmpty)
                    continue;
                if (sentence.Length * 3L > _options.LongestSentence_bytes && Encoding.UTF8.GetByteCount(sentence) > _options.LongestSentence_bytes)
                    _skipped++;
                else if (reservoir.Wants())
                    reservoir.Offer(normalizer.Normalize(sentence, scratch));
                else
                    reservoir.Skip();
            }
            if (reservoir.Offered < nextReport)
                continue;
            _progress?.Report(new TrainingProgress("read", 0, reservoir.Offered, 0));
            nextReport = reservoir.Offered + SentencesAReport;
        }
        stop.ThrowIfCancellationRequested();
        _progress?.Report(new TrainingProgress("read", 0, reservoir.Offered, 0));
        reservoir.Complete();
        return reservoir;
    }

    private TextRuns Cut(SentenceReservoir reservoir, CancellationToken stop)
    {
        var counts = new long[0x110000];
        for (var index = 0; index < reservoir.Count; index++)
        {
            foreach (var character in reservoir[index].EnumerateRunes())
                counts[character.Value]++;
        }
        stop.ThrowIfCancellationRequested();
        var alphabet = new Alphabet(counts, _options.CharacterCoverage);
        if (alphabet.Count == 0)
            throw new TokenizerTrainingException(_skipped > 0
                ? $"each of the {_skipped} sentences is longer than {_options.LongestSentence_bytes} bytes, so there is no text to train on; check the sources and data.normalize."
                : "the sources hold no text to train on; name files with lines of text.");
        var runs = new TextRuns(alphabet);
        for (var index = 0; index < reservoir.Count; index++)
            runs.Add(reservoir[index]);
        stop.ThrowIfCancellationRequested();
        return runs;
    }

    private SentencePieceModel ToModel(List<Piece> pieces)
    {
        var special = _options.Special;
        var model = new SentencePieceModel { ByteFallback = _options.ByteFallback, HasTrainer = true, Normalizer = _normalizer };
        model.Pieces.Add(new Piece(special.Pad, 0, PieceType.Control));
        model.Pieces.Add(new Piece(special.Unknown, 0, PieceType.Unknown));
        model.Pieces.Add(new Piece(special.Begin, 0, PieceType.Control));
        model.Pieces.Add(new Piece(special.End, 0, PieceType.Control));
        if (_options.ByteFallback)
        {
            for (var value = 0; value <= byte.MaxValue; value++)
                model.Pieces.Add(new Piece($"<0x{value:X2}>", 0, PieceType.Byte));
        }
        model.Pieces.AddRange(pieces);
        return model;
    }
}
