namespace Streaming.Streams.Sources;

/// <summary>
/// The text cannot be read: a missing file, an empty glob, a damaged archive, a cursor that does not fit. The message is
/// one sentence for the user, which names the thing and the remedy.
/// </summary>
public class SourceException : Exception
{
    public SourceException(string message) : base(message) { }

    public SourceException(string message, Exception cause) : base(message, cause) { }
}
