using System.Numerics;

namespace Streaming.Streams.Compression;

/// <summary>
/// Reads bzip2, stream after stream (as pbzip2 and Wikipedia's multistream dumps have them). An archive that is cut short
/// is an <see cref="EndOfStreamException"/>, a damaged one an <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class Bzip2ReadStream(InputBuffer input) : ForwardStream
{
    private const int BytesALevel = 100_000;
    private const ulong BlockMagic = 0x314159265359, EndMagic = 0x177245385090;

    private readonly Bzip2BlockReader _block = new();
    private Bzip2BitReader _bits = new(input);
    private int _capacity;
    private bool _inStream;
    private bool _inBlock;
    private bool _anyStream;
    private uint _blockCheck;
    private uint _streamCheck;

    public override int Read(Span<byte> buffer)
    {
        if (buffer.Length == 0)
            return 0;
        while (true)
        {
            if (!_inStream && !BeginStream())
                return 0;
            if (!_inBlock && !BeginBlock())
                continue;
            var count = _block.Read(buffer);
            if (count > 0)
                return count;
            if (_block.Check != _blockCheck)
                throw new InvalidDataException("the check of the data is wrong");
            _streamCheck = BitOperations.RotateLeft(_streamCheck, 1) ^ _blockCheck;
            _inBlock = false;
        }
    }

    private bool BeginStream()
    {
        if (_anyStream && _bits.AtEnd)
            return false;
        if (_bits.Take(24) != ('B' << 16 | 'Z' << 8 | 'h'))
            throw new InvalidDataException("bytes that are no bzip2 stream follow the last one");
        var level = _bits.Take(8) - '0';
        if (level is < 1 or > 9)
            throw new InvalidDataException("the bzip2 header is not valid");
        _capacity = (int)level * BytesALevel;
        _streamCheck = 0;
        _anyStream = _inStream = true;
        return true;
    }

    /// <summary>Begins the next block; false where the stream ended.</summary>
    private bool BeginBlock()
    {
        var magic = (ulong)_bits.Take(24) << 24 | _bits.Take(24);
        var check = _bits.Take(32);
        if (magic == BlockMagic)
        {
            _blockCheck = check;
            _block.Begin(ref _bits, _capacity);
            return _inBlock = true;
        }
        if (magic != EndMagic)
            throw new InvalidDataException("the compressed data are damaged");
        if (check != _streamCheck)
            throw new InvalidDataException("the check of the archive is wrong");
        _bits.AlignToByte();
        return _inStream = false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            input.Dispose();
        base.Dispose(disposing);
    }
}
