using System.Buffers.Binary;

namespace Streaming.Streams.Compression;

/// <summary>
/// Cuts an archive where blocks may begin: at every place, to the bit, where their magic number stands. It may also stand
/// within a block by chance, which whoever decodes must find out. Pieces overlap by the bytes of that number.
/// </summary>
/// <param name="input">The archive from <paramref name="start"/> on.</param>
/// <param name="start">Bytes of the archive before.</param>
/// <param name="blockBit">The first block, or <see cref="Bzip2Piece.NoBlock"/> for the start of the archive.</param>
internal sealed class Bzip2Splitter(InputBuffer input, long start, long blockBit)
{
    public const ulong BlockMagic = 0x314159265359;

    /// <summary>Bytes that a magic number touches at most.</summary>
    private const int MagicSpan = 7;

    /// <summary>Past it a piece is cut anywhere: no block is as long.</summary>
    private const int LongestPiece = 4 << 20;

    /// <summary>For each value of a byte the bit offsets, one a bit, of magic numbers whose second byte it may be.</summary>
    private static readonly byte[] Offsets = BuildOffsets();

    private byte[] _carried = [];
    private bool _atEnd;

    private static byte[] BuildOffsets()
    {
        var offsets = new byte[256];
        for (var offset = 0; offset < 8; offset++)
            offsets[(byte)(BlockMagic >> (32 + offset))] |= (byte)(1 << offset);
        return offsets;
    }

    /// <summary>Reads the next piece; false at the end of the archive.</summary>
    public bool Next(Bzip2Piece piece)
    {
        if (_atEnd)
            return false;
        piece.Begin(start, blockBit);
        piece.Append(_carried);
        var from = blockBit < 0 ? 0 : blockBit - start * 8 + 1;
        while (true)
        {
            var found = Find(piece.Bytes, from);
            if (found >= 0)
            {
                HandOver(piece, (int)(found / 8), start * 8 + found);
                return true;
            }
            from = Math.Max(from, (piece.Length - MagicSpan + 1) * 8L);
            if (piece.Length >= LongestPiece)
            {
                HandOver(piece, piece.Length - MagicSpan + 1, Bzip2Piece.NoBlock);
                return true;
            }
            if (!input.Fill())
            {
                _atEnd = true;
                return piece.Length > 0;
            }
            piece.Append(input.Storage.AsSpan(input.Start, input.End - input.Start));
            input.Take(input.End - input.Start);
        }
    }

    /// <summary>Ends the piece behind the magic number at that byte, and keeps what follows from there on for the next one.</summary>
    private void HandOver(Bzip2Piece piece, int place, long nextBlockBit)
    {
        _carried = piece.Bytes[place..].ToArray();
        piece.Cut(Math.Min(piece.Length, place + MagicSpan));
        start += place;
        blockBit = nextBlockBit;
    }

    /// <summary>The first bit at or after <paramref name="from"/> where the magic number stands; -1 where it does not.</summary>
    private static long Find(ReadOnlySpan<byte> bytes, long from)
    {
        for (var place = (int)(from / 8); place + MagicSpan <= bytes.Length; place++)
        {
            var offsets = Offsets[bytes[place + 1]];
            if (offsets == 0)
                continue;
            var seven = (ulong)BinaryPrimitives.ReadUInt32BigEndian(bytes[place..]) << 24
                | BinaryPrimitives.ReadUInt32BigEndian(bytes[(place + 3)..]) & 0xFFFFFF;
            for (var offset = 0; offset < 8; offset++)
                if ((offsets & (1 << offset)) != 0 && (seven >> (8 - offset) & 0xFFFFFFFFFFFF) == BlockMagic && place * 8L + offset >= from)
                    return place * 8L + offset;
        }
        return -1;
    }
}
