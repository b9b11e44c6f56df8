using Streaming.Streams.Text;
using static Streaming.Streams.Cleaning.CleaningReason;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// The rules that look at a document as its line rules have left it, as Gopher (Rae et al. 2021) and the Swallow corpus
/// (Okazaki et al. 2024) have them, on characters. Not thread-safe; allocates nothing once its tables have grown.
/// </summary>
internal sealed class DocumentRules(CleaningOptions options)
{
    /// <summary>Lines below which a share of lines says nothing.</summary>
    private const int LeastLinesForShares = 5;

    /// <summary>Hiragana among kana and kanji that tells verse, which has no full stops either, from lists of goods and names.</summary>
    private const double HiraganaOfVerse = 0.35;

    private const string Bullets = "・●○■□◆◇▼▽▲△★☆※•*-–‣▪▸►▶✓✔→";

    private readonly RepetitionMeter _repetition = new();
    private readonly LineSet _seen = new();

    /// <summary>The first rule that the document breaks, or <see cref="None"/>.</summary>
    /// <param name="lines">Text in which the document stands.</param>
    /// <param name="firstLine">Its first line.</param>
    /// <param name="verdicts">The line rules' verdicts, one a line of the document.</param>
    /// <param name="kept">The sum of the kept lines' profiles.</param>
    /// <param name="keptLines">Kept lines.</param>
    /// <param name="droppedCharacters">Visible characters of lines that the line rules dropped.</param>
    public CleaningReason Check(
        TextBatch lines, int firstLine, ReadOnlySpan<CleaningReason> verdicts, in LineProfile kept, int keptLines, int droppedCharacters)
    {
        var visible = kept.Visible;
        if (droppedCharacters > options.MaximumDroppedShare * (visible + droppedCharacters))
            return MostlyDropped;
        if (keptLines < options.MinimumDocumentLines)
            return DocumentTooFewLines;
        if (visible < options.MinimumDocumentCharacters)
            return DocumentTooShort;
        if (visible > options.MaximumDocumentCharacters)
            return DocumentTooLong;
        if (kept.Japanese + kept.Punctuation < options.MinimumDocumentJapaneseShare * visible)
            return DocumentNotJapanese;
        if (kept.Hiragana < options.MinimumDocumentHiraganaShare * kept.Japanese)
            return DocumentTooLittleHiragana;
        if (kept.Symbols > options.MaximumDocumentSymbolShare * visible)
            return DocumentSymbols;
        return CheckLines(lines, firstLine, verdicts, kept, keptLines);
    }

    private CleaningReason CheckLines(TextBatch lines, int firstLine, ReadOnlySpan<CleaningReason> verdicts, in LineProfile kept, int keptLines)
    {
        var (ellipses, bullets, repeatedLines) = (0, 0, 0);
        var (characters, sentenceCharacters, repeatedCharacters) = (0L, 0L, 0L);
        _seen.Clear(keptLines);
        _repetition.Clear();
        var countsNgrams = options.MaximumTopNgramShare < 1 || options.MaximumDuplicateNgramShare < 1;
        for (var index = 0; index < verdicts.Length; index++)
        {
            var line = lines[firstLine + index];
            if (verdicts[index] != None || line.IsEmpty)
                continue;
            characters += line.Length;
            var trimmed = line.Trim();
            if (trimmed.EndsWith("…") || trimmed.EndsWith("...") || trimmed.EndsWith("・・") || trimmed.EndsWith("‥"))
                ellipses++;
            if (Bullets.Contains(trimmed[0]))
                bullets++;
            if (options.MinimumSentenceShare > 0 && LineRules.HoldsSentence(line))
                sentenceCharacters += line.Length;
            if (options.MaximumRepeatedLineShare < 1 && !_seen.Add(Fingerprint.OfText(trimmed)))
            {
                repeatedLines++;
                repeatedCharacters += line.Length;
            }
            if (countsNgrams)
                _repetition.Add(line);
        }
        if (keptLines >= LeastLinesForShares)
        {
            if (ellipses > options.MaximumEllipsisLineShare * keptLines)
                return EllipsisLines;
            if (bullets > options.MaximumBulletLineShare * keptLines)
                return BulletLines;
            if (repeatedLines > options.MaximumRepeatedLineShare * keptLines
                || options.MaximumRepeatedLineShare < 1 && repeatedCharacters > options.MaximumRepeatedLineShare * 2 / 3 * characters)
                return RepeatedLines;
        }
        if (sentenceCharacters < options.MinimumSentenceShare * characters && kept.Hiragana < HiraganaOfVerse * kept.Japanese)
            return WithoutSentences;
        if (_repetition.TopShare > options.MaximumTopNgramShare)
            return TopNgram;
        return _repetition.DuplicateShare > options.MaximumDuplicateNgramShare ? DuplicateNgrams : None;
    }
}
