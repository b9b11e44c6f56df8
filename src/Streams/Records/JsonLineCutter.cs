using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>Cuts bytes into lines. A line past <see cref="LongestLine"/> is passed over. A byte order mark at the start is dropped.</summary>
/// <param name="text">Uncompressed bytes. Not disposed.</param>
/// <param name="offset">Bytes of the text before them; a line starts here.</param>
internal sealed class JsonLineCutter(Stream text, long offset) : IJsonCutter
{
    /// <summary>Bytes of a line at most: what is longer must not exhaust the memory.</summary>
    public const int LongestLine = 16 << 20;

    private readonly ByteWindow _window = new(text, offset);

    /// <summary>Bytes of the text before the next line.</summary>
    public long Offset => _window.Offset;

    public bool CutsLines => true;

    /// <summary>The next line without its end, valid until the next call; false at the end of the text.</summary>
    /// <param name="isTooLong">The line was passed over for its length.</param>
    public bool Next(out ReadOnlySpan<byte> line, out bool isTooLong)
    {
        var searched = 0;
        isTooLong = false;
        while (true)
        {
            var available = _window.Bytes;
            var end = available[searched..].IndexOf((byte)'\n');
            var length = end >= 0 ? searched + end : available.Length;
            if (end >= 0 || (_window.AtEnd && (length > 0 || isTooLong)))
            {
                isTooLong |= length > LongestLine;
                line = isTooLong ? [] : WithoutMark(available[..length]);
                _window.Take(end >= 0 ? length + 1 : length);
                return true;
            }
            if (_window.AtEnd)
            {
                line = [];
                return false;
            }
            if (length > LongestLine)
            {
                isTooLong = true;
                _window.Take(length);
                length = 0;
            }
            searched = length;
            _window.Fill();
        }
    }

    private ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> line) => Offset == 0 && line is [0xEF, 0xBB, 0xBF, ..] ? line[3..] : line;
}
