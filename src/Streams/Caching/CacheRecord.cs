using System.Numerics;
using System.Runtime.InteropServices;
using Streaming.Streams.Batches;
using Streaming.Streams.Compression;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Caching;

/// <summary>One block as bytes, little-endian.</summary>
/// <param name="blockSize">Tokens.</param>
/// <param name="isWide">Four bytes a token instead of two.</param>
internal readonly struct CacheRecord(int blockSize, bool isWide)
{
    private const int PlaceLength = 88, CheckLength = 4;

    private int TokensLength => blockSize * (isWide ? 4 : 2);

    private int StartsLength => (blockSize + 7) / 8;

    /// <summary>Bytes.</summary>
    public int Length => TokensLength + StartsLength + PlaceLength + CheckLength;

    public void Write(Span<byte> record, TokenBlocks blocks, int block)
    {
        record.Clear();
        var tokens = blocks[block];
        if (isWide)
        {
            MemoryMarshal.AsBytes(tokens).CopyTo(record);
        }
        else
        {
            var narrow = MemoryMarshal.Cast<byte, ushort>(record[..TokensLength]);
            for (var index = 0; index < tokens.Length; index++)
                narrow[index] = (ushort)tokens[index];
        }
        var starts = record.Slice(TokensLength, StartsLength);
        foreach (var start in blocks.StartsIn(block))
            starts[start % blockSize / 8] |= (byte)(1 << start % blockSize % 8);
        var (at, taken, entries) = blocks.PlaceAfter(block);
        MemoryMarshal.AsBytes<long>([at.Epoch, at.File, at.Offset, at.Record, at.Line, at.Part, (long)at.Hash, at.Near.CompressedBit, at.Near.Offset, taken, entries]).CopyTo(record[(TokensLength + StartsLength)..]);
        BitConverter.TryWriteBytes(record[^CheckLength..], Check(record[..^CheckLength]));
    }

    public void Read(ReadOnlySpan<byte> record, TokenBlocks blocks, long epoch)
    {
        var starts = record.Slice(TokensLength, StartsLength);
        for (var index = 0; index < blockSize; index++)
        {
            if ((starts[index / 8] & (1 << index % 8)) != 0)
                blocks.BeginDocument(index);
        }
        var room = blocks.Room;
        if (isWide)
        {
            MemoryMarshal.Cast<byte, int>(record[..TokensLength]).CopyTo(room);
        }
        else
        {
            var narrow = MemoryMarshal.Cast<byte, ushort>(record[..TokensLength]);
            for (var index = 0; index < narrow.Length; index++)
                room[index] = narrow[index];
        }
        Span<long> place = stackalloc long[PlaceLength / sizeof(long)];
        record.Slice(TokensLength + StartsLength, PlaceLength).CopyTo(MemoryMarshal.AsBytes(place));
        var at = new SourcePosition(epoch, (int)place[1], place[2], place[3], place[4], (int)place[5], (ulong)place[6], new SeekPoint(place[7], place[8]));
        blocks.Advance(blockSize, new SourcePlace(at, place[9], place[10]));
    }

    /// <summary>Whether a record is as it was written.</summary>
    public static bool IsWhole(ReadOnlySpan<byte> record) => Check(record[..^CheckLength]) == BitConverter.ToUInt32(record[^CheckLength..]);

    /// <summary>CRC-32C, which the processor computes, begun so that zeros do not pass.</summary>
    private static uint Check(ReadOnlySpan<byte> bytes)
    {
        var check = uint.MaxValue;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            check = BitOperations.Crc32C(check, word);
        foreach (var value in bytes[(words.Length * sizeof(ulong))..])
            check = BitOperations.Crc32C(check, value);
        return check;
    }
}
