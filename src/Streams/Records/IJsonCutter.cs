namespace Streaming.Streams.Records;

/// <summary>Cuts bytes into JSON values, one a record.</summary>
internal interface IJsonCutter
{
    /// <summary>Bytes of the text before the next record.</summary>
    long Offset { get; }

    /// <summary>A record is a line, whatever stands in it; otherwise it is a value that is known to be valid.</summary>
    bool CutsLines { get; }

    /// <summary>The next record, valid until the next call; false at the end of the text.</summary>
    /// <param name="json">A line may be empty, or no JSON.</param>
    /// <param name="isTooLong">It was passed over for its length.</param>
    /// <exception cref="InvalidDataException">The text is malformed, so that no next record can be found; says at which byte.</exception>
    bool Next(out ReadOnlySpan<byte> json, out bool isTooLong);
}
