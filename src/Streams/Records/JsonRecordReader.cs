using System.Text;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>
/// Reads JSON Lines: an object a line, one field of which is the document. Lines that are no object, or have no such text,
/// are counted and passed over; a file that begins with a thousand of them is a mistake in the configuration.
/// </summary>
internal sealed class JsonRecordReader : IRecordReader
{
    /// <summary>Rejections from the start of a file, without a single text, after which the file counts as misunderstood.</summary>
    public const int MostRejectionsAtStart = 1000;

    private const int LongestSample = 60;

    private readonly SourceFile _file;
    private readonly Stream _source;
    private readonly JsonField _field;
    private readonly JsonLineCutter _lines;
    private readonly TextBatch _text = new();
    private bool _mayBeMisunderstood;

    /// <param name="file">What is read, for messages.</param>
    /// <param name="text">Uncompressed bytes from the start on; disposed with the reader.</param>
    /// <param name="field">The field that holds the text.</param>
    /// <param name="start">The start of a line.</param>
    /// <param name="isWithinLine">The start is no start of a line: the rest of one is passed over.</param>
    public JsonRecordReader(SourceFile file, Stream text, JsonField field, SourcePosition start, bool isWithinLine = false)
    {
        (_file, _source, _field, _lines) = (file, text, field, new JsonLineCutter(text, start.Offset));
        _mayBeMisunderstood = start.Offset == 0;
        if (isWithinLine)
            _lines.Next(out _, out _);
        Position = start with { Offset = _lines.Offset };
    }

    public SourcePosition Position { get; private set; }
    public long InvalidBytes => _field.InvalidBytes;
    public long CutLines { get; private set; }
    public long RejectedRecords { get; private set; }
    public string? FirstRejection { get; private set; }
    public ISeekPoints? SeekPoints => _source as ISeekPoints;

    public bool Read(LineBatch batch)
    {
        var begin = Position;
        if (!_lines.Next(out var line, out var isTooLong))
            return false;
        var isBlank = !isTooLong && line.TrimStart(" \t\r"u8).IsEmpty;
        Position = begin with { Offset = _lines.Offset, Line = begin.Line + 1, Record = begin.Record + (isBlank ? 0 : 1) };
        if (isBlank)
            return true;
        if (isTooLong)
            CutLines++;
        var problem = isTooLong ? $"it is longer than {JsonLineCutter.LongestLine >> 20} MiB" : _field.Read(line, _text);
        if (problem is not null)
        {
            Reject(begin, line, problem);
            return true;
        }
        _mayBeMisunderstood = false;
        if (RecordLines.Move(_text, batch.Lines))
            batch.EndDocument(begin);
        return true;
    }

    private void Reject(SourcePosition begin, ReadOnlySpan<byte> line, string problem)
    {
        RejectedRecords++;
        var sample = Encoding.UTF8.GetString(line[..Math.Min(line.Length, LongestSample)]).TrimEnd();
        FirstRejection ??= $"{_file.Name}, line {begin.Line + 1}: {problem}: {sample}{(line.Length > LongestSample ? "…" : "")}";
        if (_mayBeMisunderstood && RejectedRecords == MostRejectionsAtStart)
            throw new SourceException($"none of the first {MostRejectionsAtStart} lines of {_file.Name} has a text for the run (the first one: {problem}); name the field in text-field, or the kind of the source.");
    }

    public void Dispose() => _source.Dispose();
}
