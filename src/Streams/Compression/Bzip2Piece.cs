namespace Streaming.Streams.Compression;

/// <summary>
/// A piece of an archive that begins where a block may begin, and that block, decoded. The buffers serve one piece after
/// the other; the longest of them, some 5 MiB, are made when the first block is decoded.
/// </summary>
internal sealed unsafe class Bzip2Piece
{
    /// <summary>No bit of the piece is the start of a block.</summary>
    public const long NoBlock = -1;

    private const int MagicBits = 48;
    private const int DecodedAhead = 1 << 20;

    private readonly Bzip2BlockDecoder _decoder = new();
    private byte[] _bytes = new byte[1 << 18];
    private byte[] _output = [];
    private int _outputStart;
    private int _outputEnd;
    private Task? _decoding;

    /// <summary>Bytes of the archive before the piece.</summary>
    public long Start { get; private set; }

    public int Length { get; private set; }

    /// <summary>Bits of the archive before the piece's end.</summary>
    public long EndBit => (Start + Length) * 8;

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    /// <summary>Bits of the archive before the block's magic number, or <see cref="NoBlock"/>.</summary>
    public long BlockBit { get; private set; }

    /// <summary>Bits of the archive before what follows the block; known once it is decoded.</summary>
    public long BlockEndBit { get; private set; }

    /// <summary>What the archive says that the block's check is.</summary>
    public uint ExpectedCheck { get; private set; }

    /// <inheritdoc cref="Bzip2BlockDecoder.Check"/>
    public uint Check => _decoder.Check;

    /// <inheritdoc cref="Bzip2BlockDecoder.BlockLength"/>
    public int BlockLength => _decoder.BlockLength;

    /// <summary>Why the block cannot be decoded; an <see cref="EndOfStreamException"/> where the piece ends before it.</summary>
    public Exception? Failure { get; private set; }

    public void Begin(long start, long blockBit) => (Start, Length, BlockBit, _decoding) = (start, 0, blockBit, null);

    public void Append(ReadOnlySpan<byte> bytes) => Put(Length, bytes);

    /// <summary>Adds a piece that begins in this one or where it ends.</summary>
    public void Append(Bzip2Piece next)
    {
        if (Length == 0)
            Start = next.Start;
        Put((int)(next.Start - Start), next.Bytes);
    }

    private void Put(int place, ReadOnlySpan<byte> bytes)
    {
        if (place + bytes.Length > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(place + bytes.Length, _bytes.Length * 2));
        bytes.CopyTo(_bytes.AsSpan(place));
        Length = place + bytes.Length;
    }

    /// <summary>Makes the piece shorter at its end.</summary>
    public void Cut(int length) => Length = length;

    /// <summary>Lets go of what lies before the bit, and takes it for the start of a block.</summary>
    public void Restart(long bit)
    {
        var dropped = (int)(bit / 8 - Start);
        Bytes[dropped..].CopyTo(_bytes);
        Start += dropped;
        Length -= dropped;
        BlockBit = bit;
    }

    /// <summary>The bits from there on, up to 64, as a number; zeros stand for what lies past the end.</summary>
    public ulong Peek(long bit, int count)
    {
        fixed (byte* bytes = _bytes)
        {
            var bits = new Bzip2BitReader(bytes, Length, bit - Start * 8);
            ulong value = 0;
            for (; count > 0; count -= 16)
                value = value << Math.Min(16, count) | bits.Take(Math.Min(16, count));
            return value;
        }
    }

    public void BeginDecoding() => _decoding = Task.Run(() => Decode(DecodedAhead));

    /// <summary>Waits for the decoding that was begun, or does it now.</summary>
    public void EndDecoding()
    {
        if (_decoding is null)
            Decode(0);
        else
            _decoding.GetAwaiter().GetResult();
    }

    /// <summary>Decodes the block, and of its data so many bytes.</summary>
    public void Decode(int ahead)
    {
        Failure = null;
        _outputStart = _outputEnd = 0;
        try
        {
            fixed (byte* bytes = _bytes)
            {
                var bits = new Bzip2BitReader(bytes, Length, BlockBit - Start * 8);
                bits.Take(MagicBits / 2);
                bits.Take(MagicBits / 2);
                ExpectedCheck = bits.Take(32);
                _decoder.Begin(ref bits);
                BlockEndBit = Start * 8 + bits.Position;
            }
            if (ahead == 0)
                return;
            if (_output.Length < ahead)
                _output = GC.AllocateUninitializedArray<byte>(ahead);
            _outputEnd = _decoder.Read(_output);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            Failure = exception;
        }
    }

    /// <summary>Reads data of the block; 0 at its end.</summary>
    public int Read(Span<byte> buffer)
    {
        if (_outputStart == _outputEnd)
            return _decoder.Read(buffer);
        var count = Math.Min(buffer.Length, _outputEnd - _outputStart);
        _output.AsSpan(_outputStart, count).CopyTo(buffer);
        _outputStart += count;
        return count;
    }
}
