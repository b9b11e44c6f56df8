using Streaming.Streams.Compression;
using Streaming.Streams.Documents;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>
/// Cuts text into documents: runs of lines up to an empty one or the end of the file. A document past
/// <see cref="LongestPartBytes"/> is cut into parts, each a record in the batch that knows the hash of the document's first
/// line. After <see cref="LongestPartLines"/> or <see cref="MostParts"/> another document is taken to begin: text without
/// empty lines must have two sides of the held-out split as well.
/// </summary>
/// <param name="text">Uncompressed bytes from the start on; disposed with the reader.</param>
/// <param name="lines">Its lines.</param>
/// <param name="start">The start of a document or a part.</param>
internal sealed class LineRecordReader(Stream text, LineReader lines, SourcePosition start) : IRecordReader
{
    /// <param name="text">Uncompressed bytes from the start on; disposed with the reader.</param>
    /// <param name="start">The start of a document or a part.</param>
    public LineRecordReader(Stream text, SourcePosition start) : this(text, new LineReader(text, start.Offset), start) { }

    /// <summary>Bytes of a part, line ends included, after which the next line begins another.</summary>
    public const int LongestPartBytes = 1 << 20;

    /// <summary>Lines of a part, after which the document ends.</summary>
    public const int LongestPartLines = 10_000;

    /// <summary>Parts of a document.</summary>
    public const int MostParts = 8;

    public SourcePosition Position { get; private set; } = start;
    public long InvalidBytes => lines.InvalidBytes;
    public long CutLines => lines.CutLines;
    public ISeekPoints? SeekPoints => text as ISeekPoints;

    public bool Read(LineBatch batch)
    {
        var (begin, read) = (Position, batch.Lines);
        var first = read.Count;
        while (lines.Read(read))
        {
            var isEnd = read[read.Count - 1].IsEmpty;
            if (isEnd)
                read.RemoveLast();
            var count = read.Count - first;
            var isLongest = count == LongestPartLines || begin.Part + 1 == MostParts;
            if (isEnd || count == LongestPartLines || lines.Offset - begin.Offset >= LongestPartBytes)
            {
                Close(isEnd || isLongest, count + (isEnd ? 1 : 0));
                return true;
            }
        }
        if (lines.Offset == begin.Offset)
            return false;
        Close(isEnd: true, read.Count - first);
        return true;

        void Close(bool isEnd, int linesTaken)
        {
            var isDocument = begin.Part > 0 || read.Count > first;
            Position = new SourcePosition(begin.Epoch, begin.File, lines.Offset, begin.Record, begin.Line + linesTaken);
            Position = isEnd
                ? Position with { Record = begin.Record + (isDocument ? 1 : 0) }
                : Position with { Part = begin.Part + 1, Hash = begin.Part > 0 ? begin.Hash : DocumentHash.Of(read[first]) };
            if (read.Count > first)
                batch.EndDocument(begin);
        }
    }

    public void Dispose() => text.Dispose();
}
