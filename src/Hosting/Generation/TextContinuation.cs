using Streaming.Model.Generation;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Generation;

/// <summary>A text in a batch whose tokens become text as they come: whole characters, nothing of a stop string.</summary>
/// <param name="prompt">Token ids.</param>
/// <param name="options">How it goes on.</param>
/// <param name="tokenizer">Turns tokens into text.</param>
/// <param name="stops">Strings that end the text and are not shown.</param>
internal class TextContinuation(int[] prompt, GenerationOptions options, TextTokenizer tokenizer, IReadOnlyList<string> stops) : TextRequest(prompt, options)
{
    private readonly IncrementalDecoder _decoder = DecoderAfter(tokenizer, prompt);
    private readonly StopStrings _stops = new(stops);

    /// <summary>Tokens added, an end token included.</summary>
    public int TokensAdded { get; private set; }

    /// <summary>Text that may be shown; called on the batch's thread.</summary>
    protected virtual void OnText(string text)
    {
    }

    public override bool OnToken(int token)
    {
        TokensAdded++;
        if (token >= tokenizer.VocabularySize) // a model may have more ids than its tokenizer
            return true;
        Show(_stops.Feed(_decoder.Append(token)));
        return !_stops.IsHit;
    }

    public override void OnFinished(FinishReason reason)
    {
        if (!_stops.IsHit)
            Show(_stops.Feed(_decoder.Finish()));
        if (!_stops.IsHit)
            Show(_stops.Finish());
    }

    /// <summary>The text of tokens that were added all at once, by beams.</summary>
    public static string Text(TextTokenizer tokenizer, ReadOnlySpan<int> prompt, ReadOnlySpan<int> added, IReadOnlyList<string> stops, out bool isStopped)
    {
        var decoder = DecoderAfter(tokenizer, prompt);
        var watch = new StopStrings(stops);
        var text = "";
        foreach (var token in added)
        {
            if (token < tokenizer.VocabularySize)
                text += watch.Feed(decoder.Append(token));
        }
        text += watch.Feed(decoder.Finish());
        isStopped = watch.IsHit;
        return isStopped ? text : text + watch.Finish();
    }

    private void Show(string text)
    {
        if (text.Length > 0)
            OnText(text);
    }

    /// <summary>The decoder must know what came before: a space at the beginning of a text is not shown.</summary>
    private static IncrementalDecoder DecoderAfter(TextTokenizer tokenizer, ReadOnlySpan<int> prompt)
    {
        var decoder = tokenizer.CreateDecoder();
        foreach (var token in prompt)
        {
            if ((uint)token < (uint)tokenizer.VocabularySize)
                decoder.Append(token);
        }
        return decoder;
    }
}
