using Streaming.Streams.Documents;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>
/// Cuts text into documents: runs of lines up to an empty one or the end of the file. A document past
/// <see cref="LongestPartBytes"/> or <see cref="LongestPartLines"/> is cut into parts, each a record in the batch that knows
/// the hash of the document's first line.
/// </summary>
/// <param name="text">Uncompressed bytes from the start on; disposed with the reader.</param>
/// <param name="start">The start of a document or a part.</param>
internal sealed class LineRecordReader(Stream text, SourcePosition start) : IRecordReader
{
    /// <summary>Bytes of a part, line ends included, after which the next line begins another.</summary>
    public const int LongestPartBytes = 1 << 20;

    /// <summary>Lines of a part.</summary>
    public const int LongestPartLines = 10_000;

    private readonly LineReader _lines = new(text, start.Offset);

    public SourcePosition Position { get; private set; } = start;
    public long InvalidBytes => _lines.InvalidBytes;
    public long CutLines => _lines.CutLines;

    public bool Read(LineBatch batch)
    {
        var (begin, lines) = (Position, batch.Lines);
        var first = lines.Count;
        while (_lines.Read(lines))
        {
            var isEnd = lines[lines.Count - 1].IsEmpty;
            if (isEnd)
                lines.RemoveLast();
            var count = lines.Count - first;
            if (isEnd || count == LongestPartLines || _lines.Offset - begin.Offset >= LongestPartBytes)
            {
                Close(isEnd, count + (isEnd ? 1 : 0));
                return true;
            }
        }
        if (_lines.Offset == begin.Offset)
            return false;
        Close(isEnd: true, lines.Count - first);
        return true;

        void Close(bool isEnd, int linesTaken)
        {
            var isDocument = begin.Part > 0 || lines.Count > first;
            Position = new SourcePosition(begin.Epoch, begin.File, _lines.Offset, begin.Record, begin.Line + linesTaken);
            Position = isEnd
                ? Position with { Record = begin.Record + (isDocument ? 1 : 0) }
                : Position with { Part = begin.Part + 1, Hash = begin.Part > 0 ? begin.Hash : DocumentHash.Of(lines[first]) };
            if (lines.Count > first)
                batch.EndDocument(begin);
        }
    }

    public void Dispose() => text.Dispose();
}
