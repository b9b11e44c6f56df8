using System.Buffers.Binary;
using Streaming.Streams.Compression;

namespace Streaming.Streams.Sources;

/// <summary>How long the text of a file is, told without unpacking it.</summary>
internal static class TextLength
{
    /// <summary>
    /// Uncompressed bytes: of plain files their own, of xz by its indices, of Zstandard by its frames' headers. Null where
    /// the format does not tell (gzip, bzip2, Zstandard written from a pipe) and where the file cannot be sought in.
    /// </summary>
    /// <exception cref="SourceException">The file cannot be opened or is damaged.</exception>
    public static long? Of(SourceFile file)
    {
        if (file.Length is null)
            return null;
        using var bytes = file.Open();
        if (!bytes.CanSeek)
            return null;
        try
        {
            return CompressionFormats.Detect(new InputBuffer(bytes)) switch
            {
                CompressionFormat.Plain => bytes.Length,
                CompressionFormat.Xz => OfXz(bytes),
                CompressionFormat.Zstandard => OfZstandard(bytes),
                _ => null,
            };
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            throw SourceText.Unreadable(file, SourcePosition.StartOf(0, 0), exception);
        }
    }

    /// <summary>Goes through the streams from the last to the first: footer, index, and from the index to the stream's start.</summary>
    private static long OfXz(Stream bytes)
    {
        const int headerLength = 12;
        Span<byte> footer = stackalloc byte[headerLength];
        var (total, end) = (0L, bytes.Length);
        while (end > 0)
        {
            if (end < headerLength)
                throw new EndOfStreamException();
            bytes.Position = end - headerLength;
            bytes.ReadExactly(footer);
            if (BinaryPrimitives.ReadUInt32LittleEndian(footer[8..]) == 0)
            {
                end -= 4; // padding between streams
                continue;
            }
            if (footer[10] != 'Y' || footer[11] != 'Z')
                throw new InvalidDataException("an xz stream has no footer where it ends");
            var start = end - headerLength - (BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]) + 1L) * 4;
            if (start < headerLength)
                throw new InvalidDataException("the index of an xz stream is longer than the file");
            bytes.Position = start;
            var index = new XzFieldReader(new InputBuffer(bytes), []);
            if (index.Next() != 0)
                throw new InvalidDataException("an xz stream has no index where its footer says");
            for (var blocks = index.Number(); blocks > 0; blocks--)
            {
                start -= checked((long)(index.Number() + 3) & ~3L);
                total = checked(total + (long)index.Number());
            }
            end = start - headerLength;
        }
        return end == 0 ? total : throw new InvalidDataException("the indices of the xz streams do not fit the file");
    }

    /// <summary>Goes from block to block; null where a frame does not tell its length.</summary>
    private static long? OfZstandard(Stream bytes)
    {
        Span<byte> field = stackalloc byte[8];
        var total = 0L;
        bytes.Position = 0;
        while (bytes.Position < bytes.Length)
        {
            var magic = Number(bytes, field, 4);
            if (magic is >= 0x184D2A50 and <= 0x184D2A5F)
            {
                bytes.Position += Number(bytes, field, 4);
                continue;
            }
            if (magic != 0xFD2FB528)
                throw new InvalidDataException("bytes that are no Zstandard frame follow the last one");
            var descriptor = (int)Number(bytes, field, 1);
            var isSingle = (descriptor & 0x20) != 0;
            bytes.Position += (isSingle ? 0 : 1) + ((descriptor & 3) switch { 3 => 4, var size => size });
            var sizeLength = (descriptor >> 6) switch { 0 => isSingle ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
            if (sizeLength == 0)
                return null;
            total += Number(bytes, field, sizeLength) + (sizeLength == 2 ? 256 : 0);
            for (var isLast = false; !isLast;)
            {
                var header = Number(bytes, field, 3);
                isLast = (header & 1) != 0;
                bytes.Position += (header & 6) == 2 ? 1 : header >> 3; // a run is one byte, however long
            }
            bytes.Position += (descriptor & 4) != 0 ? 4 : 0;
        }
        return bytes.Position == bytes.Length ? total : throw new EndOfStreamException();
    }

    private static long Number(Stream bytes, Span<byte> field, int length)
    {
        field.Clear();
        bytes.ReadExactly(field[..length]);
        return BinaryPrimitives.ReadInt64LittleEndian(field);
    }
}
