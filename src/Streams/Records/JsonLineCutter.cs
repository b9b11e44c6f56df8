namespace Streaming.Streams.Records;

/// <summary>Cuts bytes into lines. A line past <see cref="LongestLine"/> is passed over. A byte order mark at the start is dropped.</summary>
/// <param name="text">Uncompressed bytes. Not disposed.</param>
/// <param name="offset">Bytes of the text before them; a line starts here.</param>
internal sealed class JsonLineCutter(Stream text, long offset) : IJsonCutter
{
    /// <summary>Bytes of a line at most: what is longer must not exhaust the memory.</summary>
    public const int LongestLine = 16 << 20;

    private byte[] _bytes = new byte[1 << 18];
    private int _start;
    private int _end;
    private bool _atEnd;

    /// <summary>Bytes of the text before the next line.</summary>
    public long Offset { get; private set; } = offset;

    public bool CutsLines => true;

    /// <summary>The next line without its end, valid until the next call; false at the end of the text.</summary>
    /// <param name="isTooLong">The line was passed over for its length.</param>
    public bool Next(out ReadOnlySpan<byte> line, out bool isTooLong)
    {
        var searched = 0;
        isTooLong = false;
        while (true)
        {
            var available = _bytes.AsSpan(_start, _end - _start);
            var end = available[searched..].IndexOf((byte)'\n');
            var length = end >= 0 ? searched + end : available.Length;
            if (end >= 0 || (_atEnd && (length > 0 || isTooLong)))
            {
                isTooLong |= length > LongestLine;
                line = isTooLong ? [] : WithoutMark(available[..length]);
                Take(end >= 0 ? length + 1 : length);
                return true;
            }
            if (_atEnd)
            {
                line = [];
                return false;
            }
            if (length > LongestLine)
            {
                isTooLong = true;
                Take(length);
                length = 0;
            }
            searched = length;
            Fill();
        }
    }

    private ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> line) => Offset == 0 && line is [0xEF, 0xBB, 0xBF, ..] ? line[3..] : line;

    private void Take(int length)
    {
        _start += length;
        Offset += length;
    }

    /// <summary>Reads more behind what is there, moving it to the front or growing the buffer where that is needed.</summary>
    private void Fill()
    {
        _bytes.AsSpan(_start, _end - _start).CopyTo(_bytes);
        _end -= _start;
        _start = 0;
        if (_end == _bytes.Length)
            Array.Resize(ref _bytes, _bytes.Length * 2);
        var read = text.Read(_bytes, _end, _bytes.Length - _end);
        _end += read;
        _atEnd = read == 0;
    }
}
