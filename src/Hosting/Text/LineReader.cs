using System.Text;

namespace Streaming.Hosting.Text;

/// <summary>
/// Lines of UTF-8 from a stream, of any length. <c>\n</c> ends a line, and so does the end of the stream where something
/// stands before it. Bytes that are not UTF-8 become U+FFFD as Python's <c>errors="replace"</c> has it; everything else,
/// NUL and a byte order mark included, stays. Not thread-safe.
/// </summary>
internal sealed class LineReader(Stream input)
{
    private byte[] _bytes = new byte[1 << 16];
    private char[] _characters = new char[1 << 16];
    private int _start; // of the first line not yet taken
    private int _end; // of what was read
    private int _scanned; // up to here there is no line end
    private bool _ended;

    /// <summary>Takes the next line that is already read; false where <see cref="Fill"/> must read more.</summary>
    /// <param name="line">Without its line end; valid until the next call.</param>
    public bool TryTake(out ReadOnlySpan<char> line)
    {
        line = default;
        var length = _bytes.AsSpan(_scanned, _end - _scanned).IndexOf((byte)'\n');
        if (length < 0 && !(_ended && _end > _start))
        {
            _scanned = _end;
            return false;
        }
        var lineEnd = length < 0 ? _end : _scanned + length;
        line = Decode(_bytes.AsSpan(_start, lineEnd - _start));
        _start = _scanned = length < 0 ? _end : lineEnd + 1;
        return true;
    }

    /// <summary>Reads on, waiting for the stream if need be; false once every line is taken.</summary>
    public bool Fill()
    {
        if (_ended)
            return _end > _start;
        if (_start > 0)
        {
            _bytes.AsSpan(_start, _end - _start).CopyTo(_bytes);
            (_scanned, _end, _start) = (_scanned - _start, _end - _start, 0);
        }
        if (_end == _bytes.Length)
            Array.Resize(ref _bytes, Math.Min(checked(_bytes.Length * 2), Array.MaxLength));
        var read = input.Read(_bytes, _end, _bytes.Length - _end);
        _end += read;
        _ended = read == 0;
        return read > 0 || _end > _start;
    }

    private ReadOnlySpan<char> Decode(ReadOnlySpan<byte> line)
    {
        if (_characters.Length < line.Length)
            _characters = new char[Math.Max(line.Length, Math.Min(_characters.Length * 2, Array.MaxLength))];
        return _characters.AsSpan(0, Encoding.UTF8.GetChars(line, _characters));
    }
}
