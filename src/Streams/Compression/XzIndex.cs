using System.Buffers.Binary;

namespace Streaming.Streams.Compression;

/// <summary>Where a block of an xz archive lies, and what reading must know to begin there.</summary>
/// <param name="Start">Bytes of the archive before it.</param>
/// <param name="Offset">Uncompressed bytes before it.</param>
/// <param name="CheckKind">Of its stream.</param>
/// <param name="Before">The blocks of its stream that come before.</param>
internal sealed record XzBlockPlace(long Start, long Offset, byte CheckKind, XzBlockTotals Before);

/// <summary>The indexes of all streams of an xz archive, read from its end.</summary>
internal sealed class XzIndex
{
    private const int FooterLength = 12;

    /// <summary>Bytes of all indexes that are read at most; the archive is then read without.</summary>
    private const long LongestIndex = 64 << 20;

    private readonly List<Stream> _streams = []; // the last one first

    /// <summary>Bytes of the archive's data.</summary>
    public long UncompressedLength { get; private set; }

    /// <summary>The indexes of an archive that can be sought in; null where they are damaged, which reading will tell.</summary>
    public static XzIndex? Read(System.IO.Stream archive)
    {
        try
        {
            var index = new XzIndex();
            var left = LongestIndex;
            for (var end = archive.Length; end > 0;)
            {
                var stream = ReadStream(archive, ref end, ref left);
                if (stream is null)
                    return null;
                index._streams.Add(stream);
                index.UncompressedLength += stream.Length;
            }
            return index;
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            return null;
        }
    }

    /// <summary>The last block that begins at or before an uncompressed offset; null where the archive has none.</summary>
    public XzBlockPlace? BlockAt(long offset)
    {
        var streamOffset = UncompressedLength;
        foreach (var stream in _streams)
        {
            streamOffset -= stream.Length;
            if (streamOffset > offset || stream.Blocks.Length == 0)
                continue;
            var place = stream.Start + FooterLength;
            var before = new XzBlockTotals();
            for (var block = 0; ; block++)
            {
                var sizes = stream.Blocks[block];
                if (block == stream.Blocks.Length - 1 || streamOffset + before.Uncompressed + sizes.Uncompressed > offset)
                    return new XzBlockPlace(place, streamOffset + before.Uncompressed, stream.CheckKind, before);
                before.Add(sizes);
                place += (sizes.Unpadded + 3) / 4 * 4;
            }
        }
        return null;
    }

    /// <summary>Reads the index of the stream that ends there, and moves the end to its start.</summary>
    private static Stream? ReadStream(System.IO.Stream archive, ref long end, ref long left)
    {
        Span<byte> footer = stackalloc byte[FooterLength];
        while (true)
        {
            if (end < 2 * FooterLength || end % 4 != 0)
                return null;
            archive.Position = end - FooterLength;
            archive.ReadExactly(footer);
            if (BinaryPrimitives.ReadUInt32LittleEndian(footer[8..]) != 0)
                break;
            end -= 4; // zeros between streams
            left -= FooterLength;
            if (left < 0)
                return null;
        }
        if (footer[10] != 'Y' || footer[11] != 'Z' || (uint)ReflectedCrc.Crc32.Append(0, footer.Slice(4, 6)) != BinaryPrimitives.ReadUInt32LittleEndian(footer))
            return null;
        var length = (BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]) + 1L) * 4;
        var start = end - FooterLength - length;
        left -= length;
        if (start < FooterLength || left < 0)
            return null;
        archive.Position = start;
        var input = new InputBuffer(archive);
        var fields = new XzFieldReader(input, []);
        if (fields.Next() != 0)
            return null;
        var count = fields.Number();
        if (count > (ulong)length / 2)
            return null;
        var blocks = new XzBlockSizes[count];
        long packed = 0, unpacked = 0;
        for (var block = 0; block < blocks.Length; block++)
        {
            blocks[block] = new XzBlockSizes((long)fields.Number(), (long)fields.Number());
            packed = checked(packed + (blocks[block].Unpadded + 3) / 4 * 4);
            unpacked = checked(unpacked + blocks[block].Uncompressed);
            if (packed > start)
                return null;
        }
        fields.ExpectPadding();
        fields.ExpectCheck();
        end = start - packed - FooterLength;
        return end < 0 ? null : new Stream(end, footer[9], blocks, unpacked);
    }

    private sealed record Stream(long Start, byte CheckKind, XzBlockSizes[] Blocks, long Length);
}
