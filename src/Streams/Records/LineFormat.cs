using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>Lines of text: a line a paragraph, an empty line between documents, as in cc100.</summary>
internal sealed class LineFormat : IRecordFormat
{
    public static LineFormat Instance { get; } = new();

    public IRecordReader Open(SourceFile file, SourcePosition start, CancellationToken stop) =>
        new LineRecordReader(SourceText.Open(file, start, stop), start);

    public IRecordReader OpenPast(SourceFile file, SourcePosition place, CancellationToken stop) =>
        place.Offset < 16 ? IRecordFormat.ReadPast(this, file, place, stop) : LineTail.Open(file, place, stop);

    /// <summary>The reader decodes lines already: a record is its document.</summary>
    public void Extract(LineBatch batch) { }
}
