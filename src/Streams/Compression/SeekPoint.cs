namespace Streaming.Streams.Compression;

/// <summary>A place in an archive where decompression can begin without what lies before. The default is the start.</summary>
/// <param name="CompressedBit">Bits of the archive before it.</param>
/// <param name="Offset">Uncompressed bytes before it.</param>
public readonly record struct SeekPoint(long CompressedBit, long Offset);

/// <summary>A stream of uncompressed bytes that knows where decompression can begin.</summary>
internal interface ISeekPoints
{
    /// <summary>The last place known at or before the uncompressed <paramref name="offset"/>.</summary>
    SeekPoint SeekPointBefore(long offset);
}
