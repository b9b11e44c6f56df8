namespace Streaming.Streams.Compression;

/// <summary>
/// LZMA2: LZMA in chunks of at most 2 MiB. A chunk at a time is decoded into a window that slides; the window grows with
/// the data and not with what the header announces.
/// </summary>
internal sealed unsafe class Lzma2Decoder : IDisposable
{
    private const int LongestChunk = 1 << 21;
    private const int LongestDictionary = 1536 << 20; // the encoder's own limit

    private readonly LzmaDecoder _decoder = new();
    private readonly byte[] _chunk = new byte[(1 << 16) + LzmaDecoder.Slack];
    private readonly NativeBuffer _window = new(1 << 18);
    private int _dictionaryLength;
    private int _history;
    private int _position;
    private int _handedOut;
    private uint _streamPosition;
    private bool _needsDictionaryReset;
    private bool _needsProperties;
    private bool _needsStateReset;

    /// <summary>Compressed bytes taken since <see cref="Begin"/>.</summary>
    public long BytesTaken { get; private set; }

    /// <summary>Decoded bytes not yet taken.</summary>
    public int Available => _position - _handedOut;

    /// <summary>Starts a block.</summary>
    /// <param name="dictionarySize">The filter's property byte.</param>
    public void Begin(byte dictionarySize)
    {
        if (dictionarySize > 40)
            throw new InvalidDataException("the size of the LZMA2 dictionary is not valid");
        var length = dictionarySize == 40 ? uint.MaxValue : (2L | (dictionarySize & 1u)) << (dictionarySize / 2 + 11);
        if (length > LongestDictionary)
            throw new InvalidDataException($"the archive needs a dictionary of {length >> 20} MiB, the limit is {LongestDictionary >> 20} MiB");
        _dictionaryLength = (int)length;
        _history = _position = _handedOut = 0;
        _needsDictionaryReset = _needsProperties = _needsStateReset = true;
        BytesTaken = 0;
    }

    /// <summary>Takes decoded bytes; no more than <see cref="Available"/>.</summary>
    public void Take(Span<byte> buffer)
    {
        _window.Span(_handedOut, buffer.Length).CopyTo(buffer);
        _handedOut += buffer.Length;
    }

    /// <summary>Decodes the next chunk; false at the end of the block.</summary>
    public bool DecodeChunk(InputBuffer input)
    {
        var control = Next(input);
        if (control == 0)
            return false;
        if (control is 1 or >= 0xE0)
        {
            _needsDictionaryReset = false;
            _history = _position;
            _streamPosition = 0;
            _needsProperties |= control == 1;
        }
        if (_needsDictionaryReset || control is > 2 and < 0x80)
            throw Damaged();
        var length = ((control >= 0x80 ? control & 0x1F : 0) << 16 | NextPair(input)) + 1;
        MakeRoom(length);
        if (control < 0x80)
            Copy(input, length);
        else
            Decode(input, control, length);
        _position += length;
        _streamPosition += (uint)length;
        return true;
    }

    private void Copy(InputBuffer input, int length)
    {
        input.ReadExactly(_window.Span(_position, length));
        BytesTaken += length;
    }

    private void Decode(InputBuffer input, byte control, int length)
    {
        var compressedLength = NextPair(input) + 1;
        if (control >= 0xC0)
        {
            if (!_decoder.SetProperties(Next(input)))
                throw Damaged();
            _needsProperties = _needsStateReset = false;
        }
        else if (_needsProperties)
            throw Damaged();
        else if (control >= 0xA0)
        {
            _decoder.Reset();
            _needsStateReset = false;
        }
        else if (_needsStateReset)
            throw Damaged();
        input.ReadExactly(_chunk.AsSpan(0, compressedLength));
        BytesTaken += compressedLength;
        var history = Math.Max(_history, _position - _dictionaryLength);
        if (!_decoder.Decode(_window.Start, _position, _position + length, history, _streamPosition, _chunk, compressedLength))
            throw Damaged();
    }

    /// <summary>Slides the window, or lets it grow, until a chunk fits. All of it has been handed out before.</summary>
    private void MakeRoom(int length)
    {
        if (_position + length <= _window.Length)
            return;
        var keep = Math.Min(_dictionaryLength, _position - _history);
        var longest = _dictionaryLength + Math.Max(_dictionaryLength / 2, 2 * LongestChunk);
        _window.Span(_position - keep, keep).CopyTo(_window.Span(0, keep));
        if (keep + length > _window.Length || (keep > _window.Length / 2 && _window.Length < longest))
            _window.Grow(Math.Max(keep + length, (int)Math.Min(longest, _window.Length * 2L)));
        _history = 0;
        _position = _handedOut = keep;
    }

    public void Dispose() => _window.Dispose();

    private byte Next(InputBuffer input)
    {
        BytesTaken++;
        return input.Next();
    }

    private int NextPair(InputBuffer input) => (Next(input) << 8) | Next(input);

    private static InvalidDataException Damaged() => new("the compressed data are damaged");
}
