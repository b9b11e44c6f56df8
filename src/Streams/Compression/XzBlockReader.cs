using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Streaming.Streams.Compression;

/// <summary>Reads the blocks of an xz stream, one after the other, and verifies their sizes and checks.</summary>
internal sealed class XzBlockReader(InputBuffer input) : IDisposable
{
    private const byte NoCheck = 0, Crc32Check = 1, Crc64Check = 4, Sha256Check = 10;
    private const byte HasCompressedSize = 0x40, HasUncompressedSize = 0x80, ReservedFlags = 0x3C;
    private const ulong Lzma2Filter = 0x21;

    private readonly Lzma2Decoder _decoder = new();
    private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte _checkKind;
    private int _headerLength;
    private ulong? _announcedCompressed;
    private ulong? _announcedUncompressed;
    private long _uncompressed;
    private ulong _check;

    /// <summary>Whether a block is being read.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Of the block that was read last.</summary>
    public XzBlockSizes Sizes { get; private set; }

    /// <summary>Bytes of a check of that kind.</summary>
    public static int CheckLength(byte checkKind) => checkKind switch { NoCheck => 0, Crc32Check => 4, Crc64Check => 8, _ => 32 };

    /// <summary>Reads a block's header; false where the index follows, whose first byte is then taken.</summary>
    public bool Begin(byte checkKind)
    {
        if (checkKind is not (NoCheck or Crc32Check or Crc64Check or Sha256Check))
            throw new InvalidDataException($"its checks are of the unknown kind {checkKind}");
        var size = input.Next();
        if (size == 0)
            return false;
        _checkKind = checkKind;
        _headerLength = (size + 1) * 4;
        var header = new XzFieldReader(input, [size]);
        var flags = header.Next();
        if ((flags & ReservedFlags) != 0)
            throw new InvalidDataException("the xz header asks for an unknown method");
        _announcedCompressed = (flags & HasCompressedSize) != 0 ? header.Number() : null;
        _announcedUncompressed = (flags & HasUncompressedSize) != 0 ? header.Number() : null;
        var filter = header.Number();
        if ((flags & 3) != 0 || filter != Lzma2Filter)
            throw new InvalidDataException("it uses a filter other than LZMA2; compress the text with plain xz");
        if (header.Number() != 1)
            throw new InvalidDataException("the properties of LZMA2 are not valid");
        _decoder.Begin(header.Next());
        while (header.BytesTaken < _headerLength - 4)
            if (header.Next() != 0)
                throw new InvalidDataException("the padding in an xz header is not valid");
        if (header.BytesTaken != _headerLength - 4)
            throw new InvalidDataException("the length of an xz header is wrong");
        header.ExpectCheck();
        _uncompressed = 0;
        _check = 0;
        IsOpen = true;
        return true;
    }

    /// <summary>Reads data of the block; 0 at its end, where everything has been verified.</summary>
    public int Read(Span<byte> buffer)
    {
        while (_decoder.Available == 0)
        {
            if (_decoder.DecodeChunk(input))
                continue;
            End();
            return 0;
        }
        var data = buffer[..Math.Min(buffer.Length, _decoder.Available)];
        _decoder.Take(data);
        _uncompressed += data.Length;
        switch (_checkKind)
        {
            case Crc32Check: _check = ReflectedCrc.Crc32.Append(_check, data); break;
            case Crc64Check: _check = ReflectedCrc.Crc64.Append(_check, data); break;
            case Sha256Check: _sha256.AppendData(data); break;
        }
        return data.Length;
    }

    public void Dispose()
    {
        _decoder.Dispose();
        _sha256.Dispose();
    }

    private void End()
    {
        for (var length = _decoder.BytesTaken; length % 4 != 0; length++)
            if (input.Next() != 0)
                throw new InvalidDataException("the padding of an xz block is not valid");
        Span<byte> expected = stackalloc byte[32], found = stackalloc byte[32];
        var checkLength = CheckLength(_checkKind);
        if (_checkKind == Sha256Check)
            _sha256.GetHashAndReset(expected);
        else
            BinaryPrimitives.WriteUInt64LittleEndian(expected, _check);
        input.ReadExactly(found[..checkLength]);
        if (!found[..checkLength].SequenceEqual(expected[..checkLength]))
            throw new InvalidDataException("the check of the data is wrong");
        if ((_announcedCompressed ?? (ulong)_decoder.BytesTaken) != (ulong)_decoder.BytesTaken
            || (_announcedUncompressed ?? (ulong)_uncompressed) != (ulong)_uncompressed)
            throw new InvalidDataException("the length of the data is wrong");
        Sizes = new XzBlockSizes(_headerLength + _decoder.BytesTaken + checkLength, _uncompressed);
        IsOpen = false;
    }
}
