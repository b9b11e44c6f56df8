using ParquetSharp;

namespace Streaming.Streams.Records;

/// <summary>
/// Offsets of the rows of a Parquet column: the bytes of the column's row groups as the metadata give them, spread evenly
/// over their rows. So the length of a file is known before it is read.
/// </summary>
internal sealed class ParquetPlaces
{
    private readonly (long Row, long Offset)[] _groups; // where each begins, and after the last one the end

    /// <exception cref="InvalidDataException">A row group has fewer than no rows.</exception>
    public ParquetPlaces(ParquetFileReader reader, int column)
    {
        _groups = new (long, long)[reader.FileMetaData.NumRowGroups + 1];
        for (var index = 0; index < _groups.Length - 1; index++)
        {
            using var group = reader.RowGroup(index);
            var (rows, bytes) = (group.MetaData.NumRows, group.MetaData.GetColumnChunkMetaData(column).TotalUncompressedSize);
            if (rows < 0 || bytes < 0)
                throw new InvalidDataException($"row group {index + 1} has {rows} rows and {bytes} bytes");
            var begin = _groups[index];
            _groups[index + 1] = checked((begin.Row + rows, begin.Offset + bytes));
        }
    }

    /// <summary>Bytes of the column.</summary>
    public long Length => _groups[^1].Offset;

    /// <summary>Rows of the file.</summary>
    public long Rows => _groups[^1].Row;

    /// <summary>The offset at which a row begins, 0 up to <see cref="Rows"/>.</summary>
    public long OffsetOf(long row)
    {
        var group = Array.FindLastIndex(_groups, begin => begin.Row <= row);
        if (group == _groups.Length - 1)
            return Length;
        var ((firstRow, firstOffset), (lastRow, lastOffset)) = (_groups[group], _groups[group + 1]);
        return firstOffset + (long)((Int128)(row - firstRow) * (lastOffset - firstOffset) / (lastRow - firstRow));
    }

    /// <summary>The first row that begins at or past an offset; <see cref="Rows"/> where there is none.</summary>
    public long RowAt(long offset)
    {
        long low = 0, high = Rows;
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (OffsetOf(middle) < offset)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
