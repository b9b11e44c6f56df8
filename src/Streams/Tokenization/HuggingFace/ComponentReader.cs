using System.Text;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>Reads the components of a <c>tokenizer.json</c>. Errors: <see cref="FormatException"/> that names the part.</summary>
internal static class ComponentReader
{
    public static IReadOnlyList<TextStep> Normalizer(JsonPart? part) => part is null ? [] : [.. Flatten(part.Value, "normalizers").SelectMany(Normalize)];

    public static IReadOnlyList<WordStep> PreTokenizer(JsonPart? part) => part is null ? [] : [.. Flatten(part.Value, "pretokenizers").SelectMany(Split)];

    /// <summary>Makes the stages; each text needs its own.</summary>
    public static Func<IReadOnlyList<DecoderStage>> Decoder(JsonPart? part)
    {
        // Without a decoder the library puts a space between tokens.
        var stages = part is null ? [() => new SpacedStage()] : Flatten(part.Value, "decoders").Select(Decode).ToList();
        return () => [.. stages.Select(make => make())];
    }

    /// <summary>The first special token of the post-processor's template for one text; null where the text comes first.</summary>
    public static string? FirstToken(JsonPart? part)
    {
        if (part is null)
            return null;
        foreach (var step in Flatten(part.Value, "processors"))
        {
            if (step.Type == "TemplateProcessing" && step.Require("single").Items().FirstOrDefault() is { IsObject: true } first
                && first.Find("SpecialToken") is { } token)
                return token.Require("id").Text();
        }
        return null; // what others add belongs to pairs of texts, or to offsets
    }

    private static IEnumerable<JsonPart> Flatten(JsonPart part, string items) =>
        part.Type == "Sequence" ? part.Require(items).Items().SelectMany(item => Flatten(item, items)) : [part];

    private static IEnumerable<TextStep> Normalize(JsonPart part) => part.Type switch
    {
        "Prepend" => [new PrependText(part.Require("prepend").Text())],
        "Replace" => [new ReplaceText(new TextPattern(part.Require("pattern")), part.Require("content").Text())],
        "NFC" => [new UnicodeForm(NormalizationForm.FormC)],
        "NFD" => [new UnicodeForm(NormalizationForm.FormD)],
        "NFKC" => [new UnicodeForm(NormalizationForm.FormKC)],
        "NFKD" => [new UnicodeForm(NormalizationForm.FormKD)],
        "Lowercase" => [new LowerCase()],
        "StripAccents" => [new StripAccents()],
        "Strip" => [new StripSpace(part.Switch("strip_left", true), part.Switch("strip_right", true))],
        "Precompiled" => [new PrecompiledRules(Base64(part.Require("precompiled_charsmap")))],
        "ByteLevel" => [new BytesAsText()],
        var other => throw part.Unsupported($"normalizer of the type {other}"),
    };

    private static IEnumerable<WordStep> Split(JsonPart part)
    {
        switch (part.Type)
        {
            case "Metaspace":
                var scheme = Scheme(part);
                return [new Metaspace(Character(part, "replacement", '\u2581'), scheme switch { "always" => true, "never" => false, _ => null }, part.Switch("split", true))];
            case "ByteLevel":
                return [new ByteLevel(part.Switch("add_prefix_space", true), part.Switch("use_regex", true))];
            case "Split":
                return [new SplitWords(new TextPattern(part.Require("pattern")), Behavior(part.Require("behavior")), part.Switch("invert", false))];
            case "Whitespace":
                return [new SplitWords(new TextPattern(@"\w+|[^\w\s]+"), SplitBehavior.Removed, invert: true)];
            case "WhitespaceSplit":
                return [new SplitAtCharacters(Rune.IsWhiteSpace, SplitBehavior.Removed)];
            case "Digits":
                return [new SplitAtCharacters(SplitAtCharacters.IsNumeric, part.Switch("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous)];
            case "Punctuation":
                return [new SplitAtCharacters(SplitAtCharacters.IsPunctuation, part.Find("behavior") is { } behavior ? Behavior(behavior) : SplitBehavior.Isolated)];
            case "CharDelimiterSplit":
                var delimiter = Character(part, "delimiter", ' ');
                return [new SplitAtCharacters(character => character.Value == delimiter, SplitBehavior.Removed)];
            default:
                throw part.Unsupported($"pre-tokenizer of the type {part.Type}");
        }
    }

    private static Func<DecoderStage> Decode(JsonPart part)
    {
        switch (part.Type)
        {
            case "Replace":
                var (pattern, content) = (new TextPattern(part.Require("pattern")), part.Require("content").Text());
                return () => new ReplaceStage(pattern, content);
            case "ByteFallback":
                return () => new ByteFallbackStage();
            case "Fuse":
                return () => new FuseStage();
            case "Strip":
                var (stripped, start, stop) = (Character(part, "content", ' '), part.Require("start").Number(1 << 20), part.Require("stop").Number(1 << 20));
                return () => new StripStage(stripped, start, stop);
            case "ByteLevel":
                return () => new ByteLevelStage();
            case "Metaspace":
                var (replacement, drops) = (Character(part, "replacement", '\u2581'), Scheme(part) != "never");
                return () => new MetaspaceStage(replacement, drops);
            default:
                throw part.Unsupported($"decoder of the type {part.Type}");
        }
    }

    // "add_prefix_space" is what earlier versions wrote.
    private static string Scheme(JsonPart part)
    {
        var scheme = part.Text("prepend_scheme", part.Switch("add_prefix_space", true) ? "always" : "never");
        return scheme is "always" or "never" or "first" ? scheme : throw part.Require("prepend_scheme").Wrong($"is {scheme}, not always, never or first");
    }

    private static SplitBehavior Behavior(JsonPart part) => part.Text() switch
    {
        "Removed" or "removed" => SplitBehavior.Removed,
        "Isolated" or "isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" or "merged_with_previous" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" or "merged_with_next" => SplitBehavior.MergedWithNext,
        "Contiguous" or "contiguous" => SplitBehavior.Contiguous,
        var other => throw part.Wrong($"is {other}, which is no way to split"),
    };

    private static char Character(JsonPart part, string name, char missing) =>
        part.Find(name) is not { } value ? missing : value.Text() is [var character] ? character : throw value.Wrong("is not a single character");

    private static byte[] Base64(JsonPart part)
    {
        try
        {
            return Convert.FromBase64String(part.Text());
        }
        catch (FormatException)
        {
            throw part.Wrong("is no base64");
        }
    }
}

/// <summary>Tokens with a space between them.</summary>
internal sealed class SpacedStage : DecoderStage
{
    private bool _isFirstToken = true;

    public override void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast)
    {
        if (isFirst && !_isFirstToken)
            Next!.Take(" ", isFirst: true, isLast: false);
        _isFirstToken = false;
        Next!.Take(part, isFirst, isLast);
    }
}
