using System.Buffers.Binary;

namespace Streaming.Streams.Compression;

/// <summary>
/// Reads xz (The .xz File Format 1.2), stream after stream, and verifies every check: headers, blocks, index and footer.
/// An archive that is cut short is an <see cref="EndOfStreamException"/>, a damaged one an <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class XzReadStream(InputBuffer input) : ForwardStream
{
    private const int HeaderLength = 12;

    private readonly XzBlockReader _block = new(input);
    private readonly List<XzBlockSizes> _blocks = [];
    private byte _checkKind;
    private bool _inStream;
    private bool _anyStream;

    public override int Read(Span<byte> buffer)
    {
        if (buffer.Length == 0)
            return 0;
        while (true)
        {
            if (!_inStream && !BeginStream())
                return 0;
            if (_block.IsOpen)
            {
                var count = _block.Read(buffer);
                if (count > 0)
                    return count;
                _blocks.Add(_block.Sizes);
            }
            if (!_block.Begin(_checkKind))
                EndStream();
        }
    }

    private bool BeginStream()
    {
        if (_anyStream && !SkipPadding())
            return false;
        Span<byte> header = stackalloc byte[HeaderLength];
        input.ReadExactly(header);
        if (!header[..6].SequenceEqual(Magic))
            throw new InvalidDataException("bytes that are no xz stream follow the last one");
        VerifyCheck(header.Slice(6, 2), BinaryPrimitives.ReadUInt32LittleEndian(header[8..]));
        if (header[6] != 0 || header[7] > 15)
            throw new InvalidDataException("the xz header asks for an unknown method");
        _checkKind = header[7];
        _blocks.Clear();
        _anyStream = _inStream = true;
        return true;
    }

    public static ReadOnlySpan<byte> Magic => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    /// <summary>Skips zeros between streams, four at a time; false at the end of the archive.</summary>
    private bool SkipPadding()
    {
        while (input.Fill())
        {
            var word = input.Peek(4);
            if (word[0] != 0)
                return true;
            if (word.Length < 4 || word.ContainsAnyExcept((byte)0))
                throw new InvalidDataException("the padding after an xz stream is not valid");
            input.Take(4);
        }
        return false;
    }

    /// <summary>Reads the index, whose first byte has been taken, and the footer; both must tell what was read.</summary>
    private void EndStream()
    {
        var index = new XzFieldReader(input, [0]);
        if (index.Number() != (ulong)_blocks.Count)
            throw new InvalidDataException("the index does not fit the data");
        foreach (var sizes in _blocks)
            if (index.Number() != (ulong)sizes.Unpadded || index.Number() != (ulong)sizes.Uncompressed)
                throw new InvalidDataException("the index does not fit the data");
        index.ExpectPadding();
        var indexLength = index.BytesTaken + 4;
        index.ExpectCheck();

        Span<byte> footer = stackalloc byte[HeaderLength];
        input.ReadExactly(footer);
        VerifyCheck(footer.Slice(4, 6), BinaryPrimitives.ReadUInt32LittleEndian(footer));
        if ((BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]) + 1L) * 4 != indexLength
            || footer[8] != 0 || footer[9] != _checkKind || footer[10] != 'Y' || footer[11] != 'Z')
            throw new InvalidDataException("the footer does not fit the data");
        _inStream = false;
    }

    private static void VerifyCheck(ReadOnlySpan<byte> data, uint check)
    {
        if ((uint)ReflectedCrc.Crc32.Append(0, data) != check)
            throw new InvalidDataException("the check of an xz header is wrong");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            input.Dispose();
            _block.Dispose();
        }
        base.Dispose(disposing);
    }
}
