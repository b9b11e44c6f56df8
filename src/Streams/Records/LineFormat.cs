using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>Lines of text: a line a paragraph, an empty line between documents, as in cc100.</summary>
internal sealed class LineFormat : IRecordFormat
{
    public static LineFormat Instance { get; } = new();

    public IRecordReader Open(SourceFile file, SourcePosition start, CancellationToken stop) =>
        new LineRecordReader(SourceText.Open(file, start.Offset, stop), start);

    /// <summary>The reader decodes lines already: a record is its document.</summary>
    public void Extract(LineBatch batch) { }
}
