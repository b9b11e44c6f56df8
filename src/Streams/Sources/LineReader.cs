using Streaming.Streams.Text;

namespace Streaming.Streams.Sources;

/// <summary>
/// Cuts UTF-8 into lines. Lines end with LF or CR LF, the last one also with the end of the text. A byte order mark at the
/// start of the text is dropped; each invalid sequence becomes one U+FFFD, as in the Unicode standard's recommended
/// practice. A line longer than <see cref="LongestLine"/> is cut between two characters.
/// </summary>
/// <param name="text">Uncompressed bytes. Not disposed.</param>
/// <param name="offset">Bytes of the text before them; a line starts here.</param>
internal sealed class LineReader(Stream text, long offset)
{
    /// <summary>Bytes of a line at most, some novels long: past it, it is no prose. A worker takes some fifty times as much memory while it splits and encodes one.</summary>
    public const int LongestLine = 10 << 20;

    private readonly ByteWindow _window = new(text, offset);

    /// <summary>Bytes of the text before the next line.</summary>
    public long Offset => _window.Offset;

    /// <summary>Bytes of invalid sequences so far.</summary>
    public long InvalidBytes { get; private set; }

    /// <summary>Lines so far that were cut for their length.</summary>
    public long CutLines { get; private set; }

    /// <summary>Adds the next line to the batch; false at the end of the text.</summary>
    public bool Read(TextBatch batch)
    {
        var searched = 0;
        while (true)
        {
            var available = _window.Bytes;
            var window = available[..Math.Min(available.Length, LongestLine)];
            var end = window[searched..].IndexOf((byte)'\n');
            if (end >= 0)
            {
                end += searched;
                Emit(batch, window[..end], end + 1);
                return true;
            }
            if (available.Length > LongestLine)
            {
                var cut = LongestLine;
                while (cut > LongestLine - 4 && (available[cut] & 0xC0) == 0x80)
                    cut--;
                CutLines++;
                Emit(batch, available[..cut], cut);
                return true;
            }
            searched = available.Length;
            if (!_window.AtEnd)
            {
                _window.Fill();
                continue;
            }
            if (available.IsEmpty)
                return false;
            Emit(batch, available, available.Length);
            return true;
        }
    }

    private void Emit(TextBatch batch, ReadOnlySpan<byte> line, int taken)
    {
        if (line is [.., (byte)'\r'])
            line = line[..^1];
        if (Offset == 0 && line is [0xEF, 0xBB, 0xBF, ..])
            line = line[3..];
        InvalidBytes += Utf8Text.Append(batch, line);
        batch.EndLine();
        _window.Take(taken);
    }
}
