using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>
/// Reads a text column of a Parquet file row by row. The place is the row, <see cref="SourcePosition.Record"/>; its offset
/// follows from it (<see cref="ParquetPlaces"/>). Rows without a value, and those past <see cref="LongestText"/>, are counted and passed over.
/// </summary>
internal sealed class ParquetRecordReader : IRecordReader
{
    /// <summary>Bytes of a row's text at most.</summary>
    public const int LongestText = 16 << 20;

    private readonly SourceFile _file;
    private readonly ParquetColumn _column;
    private readonly TextBatch _text = new();

    /// <param name="bytes">The file, which can be sought in; disposed with the reader, and where the constructor fails left to the caller.</param>
    /// <param name="past">Begin at the first row at or past the start's offset, in place of its row.</param>
    public ParquetRecordReader(SourceFile file, Stream bytes, string field, SourcePosition start, bool past = false)
    {
        _file = file;
        _column = new ParquetColumn(file, bytes, field);
        var row = past ? _column.Places.RowAt(start.Offset) : start.Record;
        Position = start with { Record = row, Offset = _column.Places.OffsetOf(row) };
        try
        {
            _column.Skip(row);
        }
        catch
        {
            _column.Dispose();
            throw;
        }
    }

    public SourcePosition Position { get; private set; }
    public long InvalidBytes { get; private set; }
    public long CutLines { get; private set; }
    public long RejectedRecords { get; private set; }
    public string? FirstRejection { get; private set; }

    public bool Read(LineBatch batch)
    {
        var begin = Position;
        if (!_column.Next(out var value, out var isNull))
            return false;
        Position = begin with { Record = begin.Record + 1, Offset = _column.Places.OffsetOf(begin.Record + 1) };
        if (isNull || value.Length > LongestText)
        {
            CutLines += isNull ? 0 : 1;
            RejectedRecords++;
            FirstRejection ??= $"{_file.Name}, row {begin.Record + 1}: {(isNull ? "it has no text" : $"its text is longer than {LongestText >> 20} MiB")}";
            return true;
        }
        InvalidBytes += Utf8Text.Append(_text, value);
        if (RecordLines.Move(_text, batch.Lines))
            batch.EndDocument(begin);
        return true;
    }

    public void Dispose() => _column.Dispose();
}
