using Streaming.Streams.Sources;

namespace Streaming.Actors;

/// <summary>How the run's outcome tells a failure of the text path.</summary>
internal static class TextFailure
{
    /// <param name="failure">What the text path failed with.</param>
    /// <param name="begun">Whether a step had been taken: a text that cannot be read at all is wrong usage.</param>
    /// <param name="kept">Where the steps up to then are.</param>
    public static RunOutcome.Failed Outcome(Exception failure, bool begun, string kept) => failure switch
    {
        // The sentence names the file and the remedy; InvalidDataException is the tokenizer's.
        SourceException or InvalidDataException => new(begun ? $"{failure.Message.TrimEnd('.')}; {kept}" : failure.Message, begun ? 1 : 2, null),
        _ => new($"the text path failed: {failure.Message}; {kept}", 1, failure),
    };
}
