using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Records;

/// <summary>A MediaWiki export: a record is the XML of a page, a document the text of an article.</summary>
/// <param name="options">What is kept of an article.</param>
internal sealed class WikipediaFormat(WikitextOptions options) : IRecordFormat
{
    // One for each worker that is at work at the same time.
    private readonly ConcurrentBag<PageExtractor> _extractors = [];

    /// <summary>Bytes of a page at most; the longest articles have 2 MB.</summary>
    public const int LongestPage = 16 << 20;

    public IRecordReader Open(SourceFile file, SourcePosition start, CancellationToken stop) =>
        new WikipediaRecordReader(SourceText.Open(file, start, stop), start);

    /// <summary>The first page that begins at or past the place; pages are counted from there on.</summary>
    public IRecordReader OpenPast(SourceFile file, SourcePosition place, CancellationToken stop) => Open(file, place, stop);

    public void Extract(LineBatch batch)
    {
        if (!_extractors.TryTake(out var extractor))
            extractor = new PageExtractor(options);
        var record = 0;
        foreach (ref var document in batch.Documents)
        {
            var page = batch.Lines[record++]; // the XML of a page is one line
            var xml = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(page.Length));
            extractor.Extract(xml.AsSpan(0, Encoding.UTF8.GetBytes(page, xml)), batch.Next);
            ArrayPool<byte>.Shared.Return(xml);
            document.LineEnd = batch.Next.Count;
        }
        batch.Replace();
        _extractors.Add(extractor);
    }
}
