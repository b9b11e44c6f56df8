namespace Streaming.Streams.Tokenization;

/// <summary>
/// Turns ids into text as they come, for generation: what <see cref="Append"/> returned so far plus <see cref="Finish"/> is
/// what decoding all ids at once gives, and no character is ever shown half. One for each text; not thread-safe.
/// </summary>
public sealed class IncrementalDecoder
{
    private readonly TextDecoding _decoding;
    private readonly CharacterBuffer _text = new();

    internal IncrementalDecoder(TextDecoding decoding) => _decoding = decoding;

    /// <summary>
    /// The text that this id adds, valid until the next call: empty for a control piece and while the bytes of a character
    /// are not complete. A model with denormalisation rules, which may join any two pieces, shows all of its text at the end.
    /// </summary>
    /// <exception cref="InvalidOperationException">The id is not of this vocabulary.</exception>
    public ReadOnlySpan<char> Append(int id)
    {
        _text.Clear();
        _decoding.Append(id, _text);
        return _text.Span;
    }

    /// <summary>What was held back, valid until the next call; bytes that never became a character show U+FFFD each.</summary>
    public ReadOnlySpan<char> Finish()
    {
        _text.Clear();
        _decoding.Finish(_text);
        return _text.Span;
    }
}
