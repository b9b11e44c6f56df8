using System.Text;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Records;

/// <summary>Cuts a MediaWiki export into pages, each of which becomes a line of a batch as it stands, line feeds included.</summary>
/// <param name="text">Uncompressed bytes from the start on; disposed with the reader.</param>
/// <param name="start">Where to begin.</param>
internal sealed class WikipediaRecordReader(Stream text, SourcePosition start) : IRecordReader
{
    private readonly WikiPageReader _pages = new(text, start.Offset, WikipediaFormat.LongestPage);

    public SourcePosition Position { get; private set; } = start;

    /// <summary>Not counted: invalid sequences become U+FFFD.</summary>
    public long InvalidBytes => 0;

    /// <summary>None is cut: a page that is too long is passed over.</summary>
    public long CutLines => 0;

    public long RejectedRecords => _pages.LongPages;
    public string? FirstRejection => _pages.LongPages > 0 ? $"a page is longer than {WikipediaFormat.LongestPage >> 20} MiB" : null;
    public ISeekPoints? SeekPoints => text as ISeekPoints;

    public bool Read(LineBatch batch)
    {
        var begin = Position;
        if (!_pages.TryRead(out var page))
            return false;
        Position = begin with { Offset = _pages.Offset, Record = begin.Record + 1 };
        batch.Lines.Advance(Encoding.UTF8.GetChars(page, batch.Lines.GetSpan(page.Length))); // never more characters than bytes
        batch.Lines.EndLine();
        batch.EndDocument(begin);
        return true;
    }

    public void Dispose() => text.Dispose();
}
