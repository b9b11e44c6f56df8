namespace Streaming.Streams.Text;

/// <summary>The bytes of a stream that have been read and not taken yet. It grows while nothing is taken: whoever looks for an end says when that is too far. Not thread-safe.</summary>
/// <param name="source">Not disposed.</param>
/// <param name="offset">Bytes of the text before the stream's first.</param>
internal sealed class ByteWindow(Stream source, long offset)
{
    private byte[] _bytes = new byte[1 << 18];
    private int _start, _end;

    /// <summary>Bytes of the text before <see cref="Bytes"/>.</summary>
    public long Offset { get; private set; } = offset;

    /// <summary>The stream has no more.</summary>
    public bool AtEnd { get; private set; }

    /// <summary>What is there, valid until <see cref="Fill"/>.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(_start, _end - _start);

    /// <summary>Passes bytes by, which stay valid until <see cref="Fill"/>.</summary>
    public void Take(int count)
    {
        _start += count;
        Offset += count;
    }

    /// <summary>Reads more behind what is there, moving it to the front or growing the buffer where that is needed.</summary>
    public void Fill()
    {
        if (_start > 0)
        {
            _bytes.AsSpan(_start, _end - _start).CopyTo(_bytes);
            _end -= _start;
            _start = 0;
        }
        if (_end == _bytes.Length)
            Array.Resize(ref _bytes, _bytes.Length * 2);
        var read = source.Read(_bytes, _end, _bytes.Length - _end);
        _end += read;
        AtEnd = read == 0;
    }
}
