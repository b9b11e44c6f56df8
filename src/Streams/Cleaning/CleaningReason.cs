namespace Streaming.Streams.Cleaning;

/// <summary>Why a line or a document was dropped; each value is one rule and one metric label.</summary>
public enum CleaningReason : byte
{
    /// <summary>Nothing was dropped.</summary>
    None,

    // Lines, in the order in which the rules are asked.
    LineTooShort,
    LineTooLong,
    RepeatedCharacters,
    DigitsAndSymbols,
    NotJapanese,
    WithoutKana,
    Url,
    ReadMore,
    Navigation,
    Breadcrumb,
    Menu,
    Share,
    Copyright,
    Notice,
    DateOrCounter,
    FragmentList,

    // Documents, in the order in which the rules are asked.
    MostlyDropped,
    DocumentTooFewLines,
    DocumentTooShort,
    DocumentTooLong,
    DocumentNotJapanese,
    DocumentTooLittleHiragana,
    DocumentSymbols,
    EllipsisLines,
    BulletLines,
    WithoutSentences,
    RepeatedLines,
    TopNgram,
    DuplicateNgrams,

    // Duplicates.
    DuplicateDocument,
    NearDuplicateDocument,
    DuplicateLine,
}

/// <summary>Names of the reasons as metrics, files and people see them.</summary>
public static class CleaningReasons
{
    private static readonly string[] _labels = [.. Enum.GetNames<CleaningReason>().Select(ToLabel)];

    /// <summary>Number of values, <see cref="CleaningReason.None"/> included: the length of an array that is indexed by reason.</summary>
    public static int Count => _labels.Length;

    /// <summary>All reasons but <see cref="CleaningReason.None"/>.</summary>
    public static IEnumerable<CleaningReason> All => Enum.GetValues<CleaningReason>().Skip(1);

    /// <summary>For example <c>read-more</c>.</summary>
    public static string Label(this CleaningReason reason) => _labels[(int)reason];

    /// <summary>The reason concerns a whole document.</summary>
    public static bool IsOfDocument(this CleaningReason reason) =>
        reason is >= CleaningReason.MostlyDropped and <= CleaningReason.NearDuplicateDocument;

    private static string ToLabel(string name) =>
        string.Concat(name.Select((letter, index) => char.IsUpper(letter) && index > 0 ? $"-{char.ToLowerInvariant(letter)}" : $"{char.ToLowerInvariant(letter)}"));
}
