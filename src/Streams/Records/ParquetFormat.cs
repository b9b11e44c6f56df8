using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>Parquet: a row a document, the text in one of the columns.</summary>
/// <param name="field">The column's name, or its path with dots.</param>
internal sealed class ParquetFormat(string field) : IRecordFormat
{
    public IRecordReader Open(SourceFile file, SourcePosition start, CancellationToken stop) =>
        Open(file, stop, bytes => new ParquetRecordReader(file, bytes, field, start));

    public IRecordReader OpenPast(SourceFile file, SourcePosition place, CancellationToken stop) =>
        Open(file, stop, bytes => new ParquetRecordReader(file, bytes, field, place, past: true));

    public long? LengthOf(SourceFile file)
    {
        using var column = Open(file, CancellationToken.None, bytes => new ParquetColumn(file, bytes, field));
        return column.Places.Length;
    }

    private static T Open<T>(SourceFile file, CancellationToken stop, Func<Stream, T> open)
    {
        var bytes = file.Open(stop);
        try
        {
            if (!bytes.CanSeek)
                throw new SourceException($"{file.Name} cannot be read: Parquet is read from its end, which {(file.IsRemote ? "a server without ranges" : "standard input or a pipe")} does not allow; download the file.");
            return open(bytes);
        }
        catch (Exception exception)
        {
            bytes.Dispose();
            if (exception is InvalidDataException)
                throw SourceText.Unreadable(file, default, exception);
            throw;
        }
    }

    /// <summary>The reader cuts the text into lines already.</summary>
    public void Extract(LineBatch batch) { }
}
