using ParquetSharp;
using ParquetSharp.IO;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Records;

/// <summary>
/// One text column of a Parquet file, a few values at a time. Memory holds a page of the column and its dictionary,
/// however large the row groups are. Damage is an <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class ParquetColumn : IDisposable
{
    private const int ValuesAtATime = 64, BytesAtATime = 1 << 20;

    private readonly SourceFile _file;
    private readonly RememberingStream _bytes;
    private readonly ManagedRandomAccessFile _access;
    private readonly ParquetFileReader _reader;
    private readonly int _column;
    private readonly short _definitionLevel;
    private readonly ByteArray[] _buffer = new ByteArray[ValuesAtATime];
    private readonly short[] _levels = new short[ValuesAtATime];
    private RowGroupReader? _group;
    private ColumnReader<ByteArray>? _values;
    private int _nextGroup;
    private long _leftInGroup;
    private int _row;
    private int _rows;
    private int _value;

    /// <param name="file">For messages.</param>
    /// <param name="bytes">The file; disposed with the column.</param>
    /// <param name="name">The column's path, with dots.</param>
    /// <exception cref="SourceException">There is no such column, or it holds no text.</exception>
    public ParquetColumn(SourceFile file, Stream bytes, string name)
    {
        (_file, _bytes) = (file, new RememberingStream(bytes));
        _access = new ManagedRandomAccessFile(_bytes, leaveOpen: true);
        try
        {
            _reader = Guard(OpenReader);
            (_column, _definitionLevel) = Guard(() => Find(name));
            Places = Guard(() => new ParquetPlaces(_reader, _column));
        }
        catch
        {
            // Not left to finalizers, whose order the native code does not bear.
            _reader?.Dispose();
            _access.Dispose();
            throw;
        }
    }

    private ParquetFileReader OpenReader()
    {
        using var properties = ReaderProperties.GetDefaultReaderProperties();
        properties.EnableBufferedStream();
        properties.BufferSize = BytesAtATime;
        return new ParquetFileReader(_access, properties);
    }

    public ParquetPlaces Places { get; }

    /// <summary>Passes over that many rows from the start of the file.</summary>
    public void Skip(long rows) => Guard(() =>
    {
        while (rows > 0 && OpenGroup())
        {
            var skipped = Math.Min(rows, _leftInGroup);
            if (skipped < _leftInGroup)
                _values!.Skip(skipped);
            _leftInGroup -= skipped;
            rows -= skipped;
        }
        return rows == 0 ? 0 : throw new SourceException($"{_file.Name} has {Places.Rows} rows, the cursor stands behind them; give the text that the run began with, or begin the run anew (run.resume = never).");
    });

    /// <summary>The next value, valid until the next call; false at the end of the file.</summary>
    /// <param name="isNull">Whether the row has no value.</param>
    public unsafe bool Next(out ReadOnlySpan<byte> value, out bool isNull)
    {
        value = [];
        isNull = false;
        if (_row == _rows && !Guard(Fill))
            return false;
        isNull = _definitionLevel > 0 && _levels[_row] < _definitionLevel;
        _row++;
        if (!isNull)
        {
            var bytes = _buffer[_value++];
            value = new ReadOnlySpan<byte>((void*)bytes.Pointer, bytes.Length);
        }
        return true;
    }

    private bool Fill()
    {
        if (!OpenGroup())
            return false;
        var count = (int)Math.Min(ValuesAtATime, _leftInGroup);
        _rows = (int)_values!.ReadBatch(count, _definitionLevel > 0 ? _levels : null, null, _buffer, out var values);
        if (_definitionLevel == 0)
            _rows = (int)values;
        if (_rows == 0)
            throw new InvalidDataException($"row group {_nextGroup} has fewer values than rows");
        (_row, _value) = (0, 0);
        _leftInGroup -= _rows;
        return true;
    }

    /// <summary>Goes to the next row group that has rows left; false where there is none.</summary>
    private bool OpenGroup()
    {
        while (_leftInGroup == 0)
        {
            if (_nextGroup == _reader.FileMetaData.NumRowGroups)
                return false;
            _values?.Dispose();
            _group?.Dispose();
            _group = _reader.RowGroup(_nextGroup++);
            _leftInGroup = _group.MetaData.NumRows;
            _values = (ColumnReader<ByteArray>)_group.Column(_column);
        }
        return true;
    }

    private (int Column, short DefinitionLevel) Find(string name)
    {
        var schema = _reader.FileMetaData.Schema;
        var texts = new List<string>();
        for (var column = 0; column < schema.NumColumns; column++)
        {
            var description = schema.Column(column);
            var path = description.Path.ToDotString();
            var isText = description.PhysicalType == PhysicalType.ByteArray && description.MaxRepetitionLevel == 0;
            if (path == name)
                return isText ? (column, description.MaxDefinitionLevel) : throw new SourceException($"the column {name} of {_file.Name} holds no text; name another in text-field.");
            if (isText)
                texts.Add(path);
        }
        throw new SourceException($"{_file.Name} has no column {name}; name {(texts.Count > 0 ? string.Join(" or ", texts.Take(5)) : "a column of text")} in text-field.");
    }

    /// <summary>Turns what the library throws into what went wrong: reading the bytes, or understanding them.</summary>
    private T Guard<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception exception) when (exception is not (SourceException or InvalidDataException))
        {
            if (_bytes.Failure is { } failure)
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
            throw new InvalidDataException($"the Parquet data are damaged ({InWords(exception.Message)})", exception);
        }
    }

    /// <summary>The library puts its message into the mangled name of a class: <c>N7parquet…E (message: 'Invalid: …')</c>.</summary>
    private static string InWords(string message)
    {
        const string opening = "(message: '", closing = "')";
        var start = message.IndexOf(opening, StringComparison.Ordinal);
        var words = start < 0 || !message.EndsWith(closing, StringComparison.Ordinal) ? message : message[(start + opening.Length)..^closing.Length];
        return words.Split('\n')[0].TrimEnd('.');
    }

    public void Dispose()
    {
        _values?.Dispose();
        _group?.Dispose();
        _reader.Dispose();
        _access.Dispose();
        _bytes.Dispose();
    }
}
