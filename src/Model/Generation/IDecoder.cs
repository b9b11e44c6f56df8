namespace Streaming.Model.Generation;

/// <summary>
/// A model that remembers the texts it has read: each slot holds one sequence's keys and values, and a pass extends any
/// number of slots at once. Generation, beams, batching, serving and evaluation stand on this alone, so that every device
/// shares their meaning. Used by one thread at a time. In the steady state, a pass allocates nothing.
/// </summary>
/// <remarks>
/// A pass is one of two kinds, by its shape: one token for each of several slots (the step of a batch, whose speed counts),
/// or many tokens of few slots (prompts, evaluation). A caller keeps to <see cref="MaxTokensInPass"/> and cuts longer
/// prompts; the cut changes nothing in the result but rounding.
/// </remarks>
public interface IDecoder : IDisposable
{
    MistralConfig Model { get; }

    /// <summary>Sequences that are held at once.</summary>
    int Slots { get; }

    /// <summary>Tokens that a slot holds at most.</summary>
    int ContextLength { get; }

    /// <summary>Tokens of all slots together that one pass takes at most.</summary>
    int MaxTokensInPass { get; }

    /// <summary>Tokens that a slot holds.</summary>
    int Length(int slot);

    /// <summary>Forgets all but the first <paramref name="length"/> tokens of a slot; 0 empties it.</summary>
    void Truncate(int slot, int length);

    /// <summary>Makes each target hold what its source holds, one copy after the other: what a target held is forgotten.</summary>
    void Copy(ReadOnlySpan<SlotCopy> copies);

    /// <summary>Appends tokens to slots and computes what may follow.</summary>
    /// <param name="parts">Slots, each at most once, with the number of their new tokens, at least one.</param>
    /// <param name="tokens">The new tokens of all parts, one part after the other.</param>
    /// <param name="rows">Positions whose logits are wanted.</param>
    /// <param name="logits">
    /// (rows, vocabulary) in float32: for each part in order the row of its last token, or those of all its tokens. The row
    /// of a token scores its successor. Longer memory is left as it is beyond the last row.
    /// </param>
    void Forward(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, LogitRows rows, Span<float> logits);
}

/// <summary>A decoder that finds the most probable token where the logits are, without handing them over.</summary>
public interface IGreedyDecoder : IDecoder
{
    /// <summary>As <see cref="IDecoder.Forward"/>, but fills in the id of the highest logit of each part's last row; the lowest id where several are equal.</summary>
    void ForwardGreedy(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, Span<int> best);
}

/// <summary>A decoder whose logits come to rest in host memory of its own, from which they need not be copied.</summary>
public interface ILogitsInPlace : IDecoder
{
    /// <summary>As <see cref="IDecoder.Forward"/> with <see cref="LogitRows.Last"/>.</summary>
    /// <param name="stride">Numbers from the beginning of a row to that of the next.</param>
    /// <returns>The rows of the parts in order, the vocabulary's length each; the caller may write there, until the next pass.</returns>
    Span<float> ForwardInPlace(scoped ReadOnlySpan<DecoderPart> parts, scoped ReadOnlySpan<int> tokens, out int stride);
}

/// <summary>One slot's share of a pass.</summary>
/// <param name="Slot">The slot that grows.</param>
/// <param name="Count">Its new tokens.</param>
public readonly record struct DecoderPart(int Slot, int Count);

/// <summary>One slot takes over another's sequence.</summary>
public readonly record struct SlotCopy(int From, int To);

/// <summary>Positions of a pass whose logits are wanted.</summary>
public enum LogitRows
{
    /// <summary>None: the pass only fills the slots.</summary>
    None,

    /// <summary>The last token of each part.</summary>
    Last,

    /// <summary>Every token.</summary>
    All,
}
