using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>Parquet: a row a document, the text in one of the columns.</summary>
/// <param name="field">The column's name, or its path with dots.</param>
internal sealed class ParquetFormat(string field) : IRecordFormat
{
    public IRecordReader Open(SourceFile file, SourcePosition start, CancellationToken stop)
    {
        var bytes = file.Open(stop);
        try
        {
            if (!bytes.CanSeek)
                throw new SourceException($"{file.Name} cannot be read: Parquet is read from its end, which {(file.IsRemote ? "a server without ranges" : "standard input or a pipe")} does not allow; download the file.");
            return new ParquetRecordReader(file, bytes, field, start);
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <summary>The reader cuts the text into lines already.</summary>
    public void Extract(LineBatch batch) { }
}
