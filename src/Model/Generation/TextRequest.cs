using Streaming.Model.Parameters;

namespace Streaming.Model.Generation;

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>An end token, or the consumer had enough: a stop string, say.</summary>
    Stop,

    /// <summary>As many tokens as were asked for, or as the context holds.</summary>
    Length,

    /// <summary>It was given up.</summary>
    Cancelled,
}

/// <summary>
/// One text in a <see cref="DecodingBatch"/>: its prompt, how it goes on, and what is done with each token. The methods are
/// called on the batch's thread.
/// </summary>
/// <param name="prompt">Token ids, at least one, that leave room for one more in the context.</param>
/// <param name="options">Validated; without beams.</param>
public abstract class TextRequest(int[] prompt, GenerationOptions options)
{
    private volatile bool _isCancelled;

    public int[] Prompt { get; } = prompt;

    public GenerationOptions Options { get; } = options;

    /// <summary>Asks for <see cref="OnPromptLogits"/>.</summary>
    public virtual bool WantsPromptLogits => false;

    /// <summary>Asks for <see cref="OnLogits"/>.</summary>
    public virtual bool WantsLogits => false;

    public bool IsCancelled => _isCancelled;

    internal GaussianGenerator Random { get; } = new((ulong)options.Seed);

    /// <summary>Ends the text with the next step; any thread may ask.</summary>
    public void Cancel() => _isCancelled = true;

    /// <summary>What the model says about the token after a position of the prompt, for each position in order.</summary>
    /// <param name="position">Position of the prompt's token that the row follows.</param>
    /// <param name="logits">(vocabulary), as the model gave them; valid during the call.</param>
    public virtual void OnPromptLogits(int position, ReadOnlySpan<float> logits)
    {
    }

    /// <summary>What the model says about the next token, before it is chosen.</summary>
    /// <param name="logits">(vocabulary), as the model gave them; valid during the call.</param>
    public virtual void OnLogits(ReadOnlySpan<float> logits)
    {
    }

    /// <summary>A token was added, the end token included.</summary>
    /// <returns>False where the text shall end here.</returns>
    public abstract bool OnToken(int token);

    /// <summary>The text is over; nothing follows.</summary>
    public virtual void OnFinished(FinishReason reason)
    {
    }

    /// <summary>Checks a prompt against a decoder.</summary>
    /// <exception cref="GenerationException">It is empty, too long, or holds an unknown token.</exception>
    public static void CheckPrompt(ReadOnlySpan<int> prompt, MistralConfig model, int contextLength)
    {
        if (prompt.IsEmpty)
            throw new GenerationException("prompt", "the prompt is empty and the model has no bos_token_id to begin with; give it some text");
        if (prompt.Length >= contextLength)
            throw new GenerationException("prompt", $"the prompt has {prompt.Length} tokens, the context holds {contextLength}, of which one must be left for an answer; shorten the prompt");
        foreach (var token in prompt)
        {
            if ((uint)token >= (uint)model.VocabularySize)
                throw new GenerationException("prompt", $"token {token} of the prompt does not fit the model, whose vocabulary has {model.VocabularySize}; take the tokenizer that the model was made for");
        }
    }
}
