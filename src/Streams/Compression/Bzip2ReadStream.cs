using System.Numerics;

namespace Streaming.Streams.Compression;

/// <summary>
/// Reads bzip2, stream after stream (as pbzip2 and Wikipedia's multistream dumps have them). Several blocks are decoded at
/// once; their order, and which of the supposed ones exist, follow from where each ends. An archive that is cut short is an
/// <see cref="EndOfStreamException"/>, a damaged one an <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class Bzip2ReadStream : ForwardStream, ISeekPoints
{
    private const int BytesALevel = 100_000, MagicBits = 48, CheckBits = 32, HeaderBits = 32;
    private const ulong EndMagic = 0x177245385090;

    /// <summary>Bytes in which a block must end.</summary>
    private const int LongestBlock = 8 << 20;

    private readonly InputBuffer _input;
    private readonly int _workers;
    private readonly Bzip2Splitter _splitter;
    private readonly Queue<Bzip2Piece> _ahead = [];
    private readonly Stack<Bzip2Piece> _free = [];
    private readonly SeekPointList _seekPoints = new();
    private Bzip2Piece _piece = new();
    private bool _allRead;
    private long _bit;
    private long _offset;
    private int _capacity;
    private bool _inStream;
    private bool _inBlock;
    private bool _anyStream;
    private bool _knowsStreamCheck;
    private uint _streamCheck;

    /// <param name="input">The archive from the byte on that holds the first bit of <paramref name="start"/>.</param>
    /// <param name="workers">Blocks decoded at once; 1 decodes them where they are read.</param>
    /// <param name="start">Where to begin: a place that <see cref="SeekPointBefore"/> gave for the same archive.</param>
    public Bzip2ReadStream(InputBuffer input, int workers = 1, SeekPoint start = default)
    {
        (_input, _workers, _bit, _offset) = (input, workers, start.CompressedBit, start.Offset);
        _anyStream = _inStream = start != default;
        _capacity = Bzip2BlockDecoder.LargestBlock;
        _splitter = new Bzip2Splitter(input, _bit / 8, _inStream ? _bit : Bzip2Piece.NoBlock);
    }

    public SeekPoint SeekPointBefore(long offset) => _seekPoints.Before(offset);

    public override int Read(Span<byte> buffer)
    {
        if (buffer.Length == 0)
            return 0;
        while (true)
        {
            if (_inBlock)
            {
                var count = _piece.Read(buffer);
                _offset += count;
                if (count > 0)
                    return count;
                EndBlock();
            }
            if (!_inStream && !BeginStream())
                return 0;
            BeginBlock();
        }
    }

    private bool BeginStream()
    {
        if (_anyStream && !IsThere(1))
            return false;
        Expect(HeaderBits);
        var header = _piece.Peek(_bit, HeaderBits);
        if (header >> 8 != ('B' << 16 | 'Z' << 8 | 'h'))
            throw new InvalidDataException("bytes that are no bzip2 stream follow the last one");
        var level = (int)(header & 0xFF) - '0';
        if (level is < 1 or > 9)
            throw new InvalidDataException("the bzip2 header is not valid");
        _bit += HeaderBits;
        _capacity = level * BytesALevel;
        _streamCheck = 0;
        _anyStream = _inStream = _knowsStreamCheck = true;
        return true;
    }

    /// <summary>Begins the next block, or ends the stream.</summary>
    private void BeginBlock()
    {
        Expect(MagicBits);
        var magic = _piece.Peek(_bit, MagicBits);
        if (magic == EndMagic)
        {
            Expect(MagicBits + CheckBits);
            if (_knowsStreamCheck && _piece.Peek(_bit + MagicBits, CheckBits) != _streamCheck)
                throw new InvalidDataException("the check of the archive is wrong");
            _bit = (_bit + MagicBits + CheckBits + 7) / 8 * 8;
            _inStream = false;
            return;
        }
        if (magic != Bzip2Splitter.BlockMagic)
            throw new InvalidDataException("the compressed data are damaged");
        Decode();
        if (_piece.Failure is { } failure)
            throw failure;
        if (_piece.BlockLength > _capacity)
            throw new InvalidDataException("the compressed data are damaged");
        _seekPoints.Add(new SeekPoint(_bit, _offset));
        _inBlock = true;
    }

    private void EndBlock()
    {
        if (_piece.Check != _piece.ExpectedCheck)
            throw new InvalidDataException("the check of the data is wrong");
        _streamCheck = BitOperations.RotateLeft(_streamCheck, 1) ^ _piece.ExpectedCheck;
        _bit = _piece.BlockEndBit;
        _inBlock = false;
    }

    /// <summary>Makes the block at the current bit the piece, decoded.</summary>
    private void Decode()
    {
        ReadAhead();
        if (_ahead.Any(piece => piece.BlockBit == _bit))
        {
            // Pieces before it began by chance within the block before.
            while (_piece.BlockBit != _bit)
            {
                _free.Push(_piece);
                _piece = _ahead.Dequeue();
                if (_piece.BlockBit != _bit && _piece.BlockBit != Bzip2Piece.NoBlock && _workers > 1)
                    _piece.EndDecoding();
            }
            ReadAhead();
            _piece.EndDecoding();
        }
        else
        {
            _piece.Restart(_bit);
            _piece.Decode(0);
        }
        while (_piece.Failure is EndOfStreamException && Lengthen())
            _piece.Decode(0);
    }

    /// <summary>
    /// Adds what follows to a piece in which the block does not end, as one that began by chance cut it short. It
    /// doubles, lest an archive full of such places takes for ever.
    /// </summary>
    private bool Lengthen()
    {
        var length = _piece.Length;
        if (length > LongestBlock)
            throw new InvalidDataException("the compressed data are damaged");
        while (_piece.Length < 2 * length && AppendNext()) { }
        return _piece.Length > length;
    }

    private void Expect(int bits)
    {
        if (!IsThere(bits))
            throw new EndOfStreamException();
    }

    /// <summary>Whether the archive has so many bits more; they are then in the piece.</summary>
    private bool IsThere(int bits)
    {
        while (_piece.EndBit < _bit + bits && AppendNext()) { }
        return _piece.EndBit >= _bit + bits;
    }

    private bool AppendNext()
    {
        ReadAhead();
        if (!_ahead.TryDequeue(out var next))
            return false;
        if (next.BlockBit != Bzip2Piece.NoBlock && _workers > 1)
            next.EndDecoding();
        _piece.Append(next);
        _free.Push(next);
        return true;
    }

    /// <summary>Reads pieces and lets them be decoded, as many as may wait.</summary>
    private void ReadAhead()
    {
        var limit = _workers > 1 ? 2 * _workers : 1;
        while (_ahead.Count < limit && !_allRead)
        {
            var piece = _free.TryPop(out var used) ? used : new Bzip2Piece();
            _allRead = !_splitter.Next(piece);
            if (_allRead)
                return;
            if (_workers > 1 && piece.BlockBit != Bzip2Piece.NoBlock)
                piece.BeginDecoding();
            _ahead.Enqueue(piece);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _input.Dispose();
        base.Dispose(disposing);
    }
}
