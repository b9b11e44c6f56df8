namespace Streaming.Streams.Sources.Http;

/// <summary>Something that may pass: worth another try. The message is the middle of a sentence.</summary>
internal sealed class HttpInterruption(string what, TimeSpan? retryAfter = null) : Exception(what)
{
    /// <summary>How long the server asks to be left alone.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>Whether the server answered a request for a range with nonsense, and is better asked for the whole.</summary>
    public bool RangesAreWrong { get; init; }
}
