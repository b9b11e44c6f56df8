using System.Buffers.Binary;

namespace Streaming.Streams.Compression;

/// <summary>What the index of an xz stream tells of a block.</summary>
/// <param name="Unpadded">Bytes of header, compressed data and check.</param>
/// <param name="Uncompressed">Bytes of data.</param>
internal readonly record struct XzBlockSizes(long Unpadded, long Uncompressed);

/// <summary>The sizes of a run of blocks, kept as sums and a check, so that two runs of any length can be compared.</summary>
internal record struct XzBlockTotals
{
    public ulong Count { get; private set; }
    public long Unpadded { get; private set; }
    public long Uncompressed { get; private set; }
    public ulong Check { get; private set; }

    public void Add(XzBlockSizes sizes)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, sizes.Unpadded);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], sizes.Uncompressed);
        Check = ReflectedCrc.Crc64.Append(Check, bytes);
        Count++;
        Unpadded += sizes.Unpadded;
        Uncompressed += sizes.Uncompressed;
    }
}
