using System.Buffers.Binary;

namespace Streaming.Streams.Compression;

/// <summary>
/// Reads xz (The .xz File Format 1.2), stream after stream, and verifies every check: headers, blocks, index and footer.
/// Blocks whose headers tell their sizes, as several threads write them, are decoded several at once. An archive that is
/// cut short is an <see cref="EndOfStreamException"/>, a damaged one an <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class XzReadStream : ForwardStream
{
    private const int HeaderLength = 12;

    /// <summary>Memory for blocks that are decoded at once. A block that alone needs more is decoded as it is read.</summary>
    private const long MostBytesAhead = 192 << 20;

    private readonly InputBuffer _input;
    private readonly int _workers;
    private readonly XzBlockReader _block;
    private readonly Queue<(XzBlockAhead Block, long Cost)> _ahead = [];
    private long _bytesAhead;
    private XzBlockTotals _blocks;
    private byte _checkKind;
    private bool _inStream;
    private bool _anyStream;

    /// <param name="input">The archive, from its start or from that of a block.</param>
    /// <param name="workers">Blocks decoded at once at most; 1 decodes them as they are read.</param>
    /// <param name="start">The block at which the input stands; null for the start of the archive.</param>
    public XzReadStream(InputBuffer input, int workers = 1, XzBlockPlace? start = null)
    {
        (_input, _workers, _block) = (input, workers, new XzBlockReader(input));
        if (start is null)
            return;
        (_checkKind, _blocks) = (start.CheckKind, start.Before);
        _anyStream = _inStream = true;
    }

    public static ReadOnlySpan<byte> Magic => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    public override int Read(Span<byte> buffer)
    {
        if (buffer.Length == 0)
            return 0;
        while (true)
        {
            if (!_inStream && !BeginStream())
                return 0;
            if (ReadBlock(buffer) is > 0 and var count)
                return count;
            ReadAhead();
            if (_ahead.Count == 0 && !_block.Begin(_checkKind))
                EndStream();
        }
    }

    /// <summary>Reads data of the block that is open; 0 where it ends or none is open.</summary>
    private int ReadBlock(Span<byte> buffer)
    {
        if (_ahead.TryPeek(out var next))
        {
            var count = next.Block.Read(buffer);
            if (count > 0)
                return count;
            if (next.Block.Failure is { } failure)
                throw failure;
            _blocks.Add(next.Block.Sizes);
            _bytesAhead -= next.Cost;
            _ahead.Dequeue().Block.Dispose();
        }
        else if (_block.IsOpen)
        {
            var count = _block.Read(buffer);
            if (count > 0)
                return count;
            _blocks.Add(_block.Sizes);
        }
        return 0;
    }

    private void ReadAhead()
    {
        while (_workers > 1 && _ahead.Count < _workers && XzBlockAhead.Cost(_input, _checkKind) is { } cost && _bytesAhead + cost <= MostBytesAhead)
        {
            _ahead.Enqueue((XzBlockAhead.Begin(_input, _checkKind), cost));
            _bytesAhead += cost;
        }
    }

    private bool BeginStream()
    {
        if (_anyStream && !SkipPadding())
            return false;
        Span<byte> header = stackalloc byte[HeaderLength];
        _input.ReadExactly(header);
        if (!header[..6].SequenceEqual(Magic))
            throw new InvalidDataException("bytes that are no xz stream follow the last one");
        VerifyCheck(header.Slice(6, 2), BinaryPrimitives.ReadUInt32LittleEndian(header[8..]));
        if (header[6] != 0 || header[7] > 15)
            throw new InvalidDataException("the xz header asks for an unknown method");
        _checkKind = header[7];
        _blocks = default;
        _anyStream = _inStream = true;
        return true;
    }

    /// <summary>Skips zeros between streams, four at a time; false at the end of the archive.</summary>
    private bool SkipPadding()
    {
        while (_input.Fill())
        {
            var word = _input.Peek(4);
            if (word[0] != 0)
                return true;
            if (word.Length < 4 || word.ContainsAnyExcept((byte)0))
                throw new InvalidDataException("the padding after an xz stream is not valid");
            _input.Take(4);
        }
        return false;
    }

    /// <summary>Reads the index, whose first byte has been taken, and the footer; both must tell what was read.</summary>
    private void EndStream()
    {
        var index = new XzFieldReader(_input, [0]);
        var told = new XzBlockTotals();
        if (index.Number() != _blocks.Count)
            throw new InvalidDataException("the index does not fit the data");
        while (told.Count < _blocks.Count)
            told.Add(new XzBlockSizes((long)index.Number(), (long)index.Number()));
        if (told != _blocks)
            throw new InvalidDataException("the index does not fit the data");
        index.ExpectPadding();
        var indexLength = index.BytesTaken + 4;
        index.ExpectCheck();

        Span<byte> footer = stackalloc byte[HeaderLength];
        _input.ReadExactly(footer);
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
            foreach (var (block, _) in _ahead)
                block.Dispose();
            _ahead.Clear();
            _input.Dispose();
            _block.Dispose();
        }
        base.Dispose(disposing);
    }
}
