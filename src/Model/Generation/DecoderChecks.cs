namespace Streaming.Model.Generation;

/// <summary>The contract of <see cref="IDecoder.Forward"/>, checked: a breach is a bug of the caller, a token outside the vocabulary a user's mistake.</summary>
internal static class DecoderChecks
{
    /// <returns>Rows of logits that the pass fills.</returns>
    public static int Check(IDecoder decoder, ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, LogitRows rows, int logits)
    {
        var count = 0;
        for (var i = 0; i < parts.Length; i++)
        {
            var (slot, added) = parts[i];
            CheckSlot(decoder, slot);
            if (added < 1)
                throw new ArgumentException($"slot {slot} was given {added} tokens, at least one is needed", nameof(parts));
            if (decoder.Length(slot) + added > decoder.ContextLength)
                throw new ArgumentException($"slot {slot} holds {decoder.Length(slot)} tokens, {added} more do not fit its {decoder.ContextLength}", nameof(parts));
            for (var j = 0; j < i; j++)
            {
                if (parts[j].Slot == slot)
                    throw new ArgumentException($"slot {slot} is named twice in one pass", nameof(parts));
            }
            count += added;
        }
        if (count != tokens.Length)
            throw new ArgumentException($"the parts have {count} tokens, {tokens.Length} were given", nameof(tokens));
        if (count > decoder.MaxTokensInPass)
            throw new ArgumentException($"a pass takes at most {decoder.MaxTokensInPass} tokens, {count} were given", nameof(tokens));
        CheckTokens(decoder.Model, tokens);
        var filled = rows switch { LogitRows.All => count, LogitRows.Last => parts.Length, _ => 0 };
        if ((long)filled * decoder.Model.VocabularySize > logits)
            throw new ArgumentException($"{filled} rows of {decoder.Model.VocabularySize} logits do not fit {logits} numbers", nameof(logits));
        return filled;
    }

    public static void CheckSlot(IDecoder decoder, int slot) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)decoder.Slots, nameof(slot));

    /// <exception cref="ModelException">A token is outside the vocabulary.</exception>
    public static void CheckTokens(MistralConfig model, ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)model.VocabularySize)
                throw new ModelException($"token {token} does not fit the model, whose vocabulary has {model.VocabularySize}: take the tokenizer that the model was made for");
        }
    }
}
