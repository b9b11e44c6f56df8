using System.Buffers.Binary;

namespace Streaming.Streams.Compression;

/// <summary>Walks the frames and blocks of zstd by their headers (RFC 8878, section 3.1).</summary>
internal static class ZstandardFrames
{
    private const uint Magic = 0xFD2FB528, SkippableMagic = 0x184D2A50;

    /// <summary>Uncompressed bytes of an archive; null where a frame does not state its length or the archive is damaged.</summary>
    public static long? Length(Stream archive)
    {
        Span<byte> header = stackalloc byte[18];
        var total = 0L;
        for (var place = 0L; place < archive.Length;)
        {
            var read = ReadAt(archive, place, header);
            if (read < 8)
                return null;
            var magic = BinaryPrimitives.ReadUInt32LittleEndian(header);
            if ((magic & 0xFFFFFFF0) == SkippableMagic)
            {
                place += 8L + BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
                continue;
            }
            if (magic != Magic || FrameLength(header, out var headerLength, out var hasCheck) is not { } length || read < headerLength)
                return null;
            if (SkipBlocks(archive, place + headerLength) is not { } end)
                return null;
            place = end + (hasCheck ? 4 : 0);
            total += length;
            if (place > archive.Length || total < 0)
                return null;
        }
        return total;
    }

    private static long? FrameLength(ReadOnlySpan<byte> header, out int headerLength, out bool hasCheck)
    {
        var descriptor = header[4];
        var isSingleSegment = (descriptor & 0x20) != 0;
        hasCheck = (descriptor & 4) != 0;
        var place = 5 + (isSingleSegment ? 0 : 1) + ((descriptor & 3) is 3 ? 4 : descriptor & 3);
        var size = (descriptor >> 6) switch { 0 => isSingleSegment ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
        headerLength = place + size;
        return size switch
        {
            0 => null,
            1 => header[place],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(header[place..]) + 256,
            4 => BinaryPrimitives.ReadUInt32LittleEndian(header[place..]),
            _ => BinaryPrimitives.ReadInt64LittleEndian(header[place..]) is >= 0 and var length ? length : null,
        };
    }

    /// <summary>The place behind the last block of a frame; null where there is none.</summary>
    private static long? SkipBlocks(Stream archive, long place)
    {
        const int runLengthBlock = 1;
        Span<byte> header = stackalloc byte[3];
        while (ReadAt(archive, place, header) == 3)
        {
            var fields = header[0] | header[1] << 8 | header[2] << 16;
            place += 3 + ((fields >> 1 & 3) == runLengthBlock ? 1 : fields >> 3);
            if ((fields & 1) != 0)
                return place;
        }
        return null;
    }

    private static int ReadAt(Stream archive, long place, Span<byte> buffer)
    {
        archive.Position = place;
        return archive.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
    }
}
