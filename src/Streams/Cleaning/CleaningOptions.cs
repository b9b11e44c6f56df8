namespace Streaming.Streams.Cleaning;

/// <summary>
/// The thresholds of the cleaning rules. Shares are of visible characters where nothing else is said. Each rule is off at
/// its neutral value, which is what <see cref="Off"/> holds: 0 for a minimum, 1 (or the largest integer) for a maximum.
/// </summary>
public sealed record CleaningOptions
{
    /// <summary>No rule: every line is kept.</summary>
    public static CleaningOptions Off { get; } = new();

    /// <summary>
    /// Japanese web pages as Common Crawl has them. Set so that pages of prose, literary prose included, keep all but their
    /// boilerplate; the thresholds' sources stand beside each property.
    /// </summary>
    public static CleaningOptions Web { get; } = new()
    {
        MinimumFragmentCharacters = 5,
        MaximumLineCharacters = 20_000,
        MaximumRepeatedCharacterShare = 0.5,
        MaximumDigitAndSymbolShare = 0.5,
        MinimumJapaneseShare = 0.3,
        MinimumKanaShare = 0.05,
        MaximumUrlShare = 0.3,
        DropBoilerplate = true,
        FragmentListLines = 4,
        MaximumDroppedShare = 0.6,
        MinimumDocumentLines = 1,
        MinimumDocumentCharacters = 100,
        MinimumDocumentJapaneseShare = 0.5,
        MinimumDocumentHiraganaShare = 0.1,
        MaximumDocumentSymbolShare = 0.15,
        MaximumEllipsisLineShare = 0.3,
        MaximumBulletLineShare = 0.9,
        MinimumSentenceShare = 0.1,
        MaximumRepeatedLineShare = 0.3,
        MaximumTopNgramShare = 0.06,
        MaximumDuplicateNgramShare = 0.3,
    };

    /// <summary>Encyclopedia articles, whose markup is gone already: the recipe's least line of 20 characters, and what is no prose at all.</summary>
    public static CleaningOptions Wikipedia { get; } = new()
    {
        MinimumLineCharacters = 20,
        MaximumRepeatedCharacterShare = 0.5,
        MaximumDigitAndSymbolShare = 0.6,
        MinimumJapaneseShare = 0.3,
        MaximumUrlShare = 0.3,
        MinimumDocumentJapaneseShare = 0.3,
        MaximumTopNgramShare = 0.1,
        MaximumDuplicateNgramShare = 0.5,
    };

    /// <summary>Lines with fewer visible characters go. The recipe: 20; nwc-toolkit: 6.</summary>
    public int MinimumLineCharacters { get; init; }

    /// <summary>Lines with fewer visible characters go, unless they end like a sentence or are speech: a novel's 「はい。」 stays, a lone ホーム goes.</summary>
    public int MinimumFragmentCharacters { get; init; }

    /// <summary>Lines with more characters go. nwc-toolkit: 1,024, which would take 4 % of a literary corpus.</summary>
    public int MaximumLineCharacters { get; init; } = int.MaxValue;

    /// <summary>Largest share of a line in runs of four and more of one character. HojiChar, for a document: a run of 200.</summary>
    public double MaximumRepeatedCharacterShare { get; init; } = 1;

    /// <summary>Largest share of digits and symbols, punctuation not counted. HojiChar: 0.4 of special characters.</summary>
    public double MaximumDigitAndSymbolShare { get; init; } = 1;

    /// <summary>Least share of kana and kanji among a line's letters and digits. nwc-toolkit: 0.7; lower, since technical prose is half Latin.</summary>
    public double MinimumJapaneseShare { get; init; }

    /// <summary>Least share of kana among a line's letters, for lines of 20 visible characters and more: fewer is Chinese or a list of names. nwc-toolkit: 0.05 of hiragana.</summary>
    public double MinimumKanaShare { get; init; }

    /// <summary>Largest share of URLs.</summary>
    public double MaximumUrlShare { get; init; } = 1;

    /// <summary>Drops navigation, breadcrumbs, menus, "read more", share buttons, copyright lines, notices, dates and counters.</summary>
    public bool DropBoilerplate { get; init; }

    /// <summary>So many short lines in a row without a sentence and with hardly any hiragana are a menu; 0 is off.</summary>
    public int FragmentListLines { get; init; }

    /// <summary>Largest share of a document's characters that the line rules may take before the rest goes too. RefinedWeb: 0.05 of its words, for its narrower line rules.</summary>
    public double MaximumDroppedShare { get; init; } = 1;

    /// <summary>Documents with fewer kept lines go.</summary>
    public int MinimumDocumentLines { get; init; }

    /// <summary>Documents with fewer visible characters go. HojiChar: 200, Swallow: 400; lower, as cc100's pages are cut short already.</summary>
    public int MinimumDocumentCharacters { get; init; }

    /// <summary>Documents with more visible characters go. HojiChar: 50,000, which would take every novel.</summary>
    public int MaximumDocumentCharacters { get; init; } = int.MaxValue;

    /// <summary>Least share of kana, kanji and punctuation in a document. Swallow: 0.5.</summary>
    public double MinimumDocumentJapaneseShare { get; init; }

    /// <summary>Least share of hiragana among the kana and kanji of a document. Swallow: 0.2; lower, as texts in katakana orthography exist.</summary>
    public double MinimumDocumentHiraganaShare { get; init; }

    /// <summary>Largest share of symbols in a document, digits and punctuation not counted. Gopher: 0.1 symbols a word.</summary>
    public double MaximumDocumentSymbolShare { get; init; } = 1;

    /// <summary>Largest share of lines that end in an ellipsis. Gopher: 0.3, Swallow: 0.2.</summary>
    public double MaximumEllipsisLineShare { get; init; } = 1;

    /// <summary>Largest share of lines that begin with a bullet. Gopher: 0.9.</summary>
    public double MaximumBulletLineShare { get; init; } = 1;

    /// <summary>Least share of characters in lines that hold the end of a sentence, for documents with little hiragana: verse is kept. FineWeb: 0.12 of lines.</summary>
    public double MinimumSentenceShare { get; init; }

    /// <summary>Largest share of lines that stood in the document before, and two thirds of it for characters in them. Gopher, Swallow: 0.3 and 0.2.</summary>
    public double MaximumRepeatedLineShare { get; init; } = 1;

    /// <summary>Largest share that the most frequent four characters have, in windows of 2,048. Prose has up to 0.03. Swallow: 0.16 over the document.</summary>
    public double MaximumTopNgramShare { get; init; } = 1;

    /// <summary>Largest share of characters in repeated runs of eight, in windows of 2,048. Prose has up to 0.15. Swallow: 0.12 over the document.</summary>
    public double MaximumDuplicateNgramShare { get; init; } = 1;

    /// <summary>What counts as a duplicate of earlier text of the source.</summary>
    public DuplicateOptions Duplicates { get; init; } = DuplicateOptions.Off;

    /// <summary>
    /// File to which what is dropped from the first pass over the training text is appended, for review: JSON Lines with
    /// <c>source</c>, <c>file</c> (its index among the source's), <c>record</c>, <c>offset</c>, <c>reason</c> and <c>text</c>.
    /// Sources may share one. Null writes nothing.
    /// </summary>
    public string? RejectedFile { get; init; }

    /// <summary>No rule for lines and documents is on; duplicates are another matter.</summary>
    public bool HasNoRules => this with { Duplicates = Off.Duplicates, RejectedFile = null } == Off;

    /// <summary>Refuses values that no text could meet.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A share is not in [0, 1], or a number is negative; names the property.</exception>
    public void Validate()
    {
        Duplicates.Validate();
        foreach (var property in typeof(CleaningOptions).GetProperties())
        {
            if (property.GetValue(this) is double share and not (>= 0 and <= 1))
                throw new ArgumentOutOfRangeException(property.Name, share, "a share is from 0 to 1");
            if (property.GetValue(this) is int number and < 0)
                throw new ArgumentOutOfRangeException(property.Name, number, "a number of characters or lines is not negative");
        }
    }
}
