using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>Cuts normalised text into the pieces of a model. Scratch is reused; not thread-safe.</summary>
internal abstract class Segmenter
{
    /// <summary>Appends the ids of <paramref name="text"/>, which is valid UTF-16, and, where asked for, where each ends in it.</summary>
    /// <remarks>Of the bytes of one character, the last ends after it and the others before it.</remarks>
    public abstract void Segment(ReadOnlySpan<char> text, TokenBuffer ids, TokenBuffer? ends);
}
