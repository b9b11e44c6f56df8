namespace Streaming.Streams.Compression;

/// <summary>
/// Bytes of a source with a view ahead: what a decoder needs to find where its archive ends, byte for byte.
/// Disposing it disposes the source.
/// </summary>
internal sealed class InputBuffer(Stream source, int capacity = 1 << 16) : ForwardStream
{
    private readonly byte[] _bytes = new byte[capacity];
    private int _position;
    private int _length;

    /// <summary>Where the bytes come from.</summary>
    public Stream Source => source;

    /// <summary>The storage; the bytes not yet taken are <see cref="Start"/> up to <see cref="End"/>.</summary>
    public byte[] Storage => _bytes;

    public int Start => _position;
    public int End => _length;

    /// <summary>Counts <paramref name="count"/> bytes from <see cref="Start"/> as taken.</summary>
    public void Take(int count) => _position += count;

    /// <summary>Makes at least one byte available; false at the end of the source.</summary>
    public bool Fill()
    {
        if (_position < _length)
            return true;
        _position = 0;
        _length = source.Read(_bytes, 0, _bytes.Length);
        return _length > 0;
    }

    /// <summary>The next <paramref name="count"/> bytes without taking them; fewer only at the end of the source.</summary>
    public ReadOnlySpan<byte> Peek(int count)
    {
        if (_bytes.Length - _position < count)
        {
            _bytes.AsSpan(_position, _length - _position).CopyTo(_bytes);
            _length -= _position;
            _position = 0;
        }
        while (_length - _position < count)
        {
            var read = source.Read(_bytes, _length, _bytes.Length - _length);
            if (read == 0)
                break;
            _length += read;
        }
        return _bytes.AsSpan(_position, Math.Min(count, _length - _position));
    }

    /// <summary>The next byte; <see cref="EndOfStreamException"/> at the end.</summary>
    public byte Next() => Fill() ? _bytes[_position++] : throw new EndOfStreamException();

    public override int Read(Span<byte> buffer)
    {
        if (buffer.Length == 0 || !Fill())
            return 0;
        var count = Math.Min(buffer.Length, _length - _position);
        _bytes.AsSpan(_position, count).CopyTo(buffer);
        _position += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            source.Dispose();
        base.Dispose(disposing);
    }
}
