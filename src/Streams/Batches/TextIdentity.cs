namespace Streaming.Streams.Batches;

/// <summary>What decides, beside the sources, which tokens a stream is made of, whatever the size of its blocks.</summary>
/// <param name="Tokenizer">SHA-256 of the tokenizer's file.</param>
/// <param name="Normalize">Whether text is normalised and split into sentences.</param>
/// <param name="AppendEndOfSentence">Whether lines end with the end-of-sentence id.</param>
/// <param name="ValidationRule">How text is held out.</param>
/// <param name="ValidationFraction">How much of it.</param>
/// <param name="Shuffle">How documents are permuted; null where they are not.</param>
/// <param name="CachedBlock">Tokens of the blocks that a cache gives back from the second epoch on; null where there is none.</param>
/// <param name="Instructions">How records of instructions become blocks; null where the sources hold text.</param>
public sealed record TextIdentity(
    string Tokenizer, bool Normalize, bool AppendEndOfSentence, ValidationRule ValidationRule, double ValidationFraction, ShuffleOptions? Shuffle,
    int? CachedBlock, string? Instructions = null)
{
    internal static TextIdentity Of(PipelineOptions options, string tokenizer) =>
        new(tokenizer, options.Normalize && options.Instructions is null, options.AppendEndOfSentence || options.Instructions is not null, options.ValidationRule, options.ValidationFraction, options.Shuffle,
            options.TokenCache is null ? null : options.BlockSize, options.Instructions?.IdentityFor(options.BlockSize));

    /// <summary>What is different now, as the beginning of a sentence; null where nothing is.</summary>
    internal string? DifferenceTo(TextIdentity now)
    {
        if (Tokenizer != now.Tokenizer)
            return "the tokenizer is another than when the cursor was made";
        if ((Instructions is null) != (now.Instructions is null))
            return $"the sources hold {Content(now.Instructions)}, when the cursor was made they held {Content(Instructions)}";
        if (Instructions != now.Instructions)
            return "records of instructions become other blocks than when the cursor was made (their template, fields, loss, length or block size)";
        if (Normalize != now.Normalize)
            return $"normalize is {Text(now.Normalize)}, when the cursor was made it was {Text(Normalize)}";
        if (AppendEndOfSentence != now.AppendEndOfSentence)
            return $"append-end-of-sentence is {Text(now.AppendEndOfSentence)}, when the cursor was made it was {Text(AppendEndOfSentence)}";
        if ((ValidationRule, ValidationFraction) != (now.ValidationRule, now.ValidationFraction))
            return FormattableString.Invariant($"{now.ValidationFraction} of the text is held out by the rule {now.ValidationRule}, when the cursor was made it was {ValidationFraction} by {ValidationRule}: text that was trained on would be held out");
        if (Shuffle != now.Shuffle)
            return $"documents are {Text(now.Shuffle)}, when the cursor was made they were {Text(Shuffle)}";
        if (CachedBlock != now.CachedBlock)
            return $"there is {Cache(now.CachedBlock)}, when the cursor was made there was {Cache(CachedBlock)}";
        return null;

        static string Content(string? instructions) => instructions is null ? "running text" : "instructions";

        static string Cache(int? block) => block is null ? "no token cache" : $"a token cache of blocks of {block} tokens";

        static string Text(object? option) => option switch
        {
            bool value => value ? "true" : "false",
            ShuffleOptions shuffle => FormattableString.Invariant($"shuffled in windows of {shuffle.Documents} or {shuffle.Bytes} bytes by the seed {shuffle.Seed}"),
            _ => "not shuffled",
        };
    }
}
