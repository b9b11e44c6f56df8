using Streaming.Streams.Compression;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Wikipedia;

/// <summary>A dump as it was downloaded: <c>…-pages-articles.xml</c>, plain or compressed, a file or standard input.</summary>
public sealed class WikiDump : IDisposable
{
    private readonly SourceFile _file;
    private readonly Stream _bytes;
    private readonly WikiPageReader _pages;

    /// <exception cref="SourceException">The file cannot be opened or is of a kind that is not read.</exception>
    public WikiDump(SourceFile file)
    {
        _file = file;
        _bytes = file.Open();
        try
        {
            var input = new InputBuffer(_bytes);
            _pages = new WikiPageReader(CompressionFormats.Open(input, CompressionFormats.Detect(input)));
        }
        catch (Exception exception)
        {
            _bytes.Dispose();
            throw Unreadable(exception);
        }
    }

    /// <summary>Pages read so far.</summary>
    public long Pages => _pages.Pages;

    /// <summary>Pages so far that were passed over, as they are longer than <see cref="WikiPageReader.LongestPage"/>.</summary>
    public long LongPages => _pages.LongPages;

    /// <inheritdoc cref="WikiPageReader.TryRead"/>
    /// <exception cref="SourceException">The file is damaged, cut short, or no dump.</exception>
    public bool TryRead(out ReadOnlySpan<byte> page)
    {
        try
        {
            return _pages.TryRead(out page);
        }
        catch (Exception exception)
        {
            throw Unreadable(exception);
        }
    }

    public void Dispose() => _bytes.Dispose();

    private SourceException Unreadable(Exception exception)
    {
        var reason = exception switch
        {
            EndOfStreamException => "the archive is cut short",
            ZstdSharp.ZstdException => $"the compressed data are damaged ({exception.Message})",
            _ => exception.Message.TrimEnd('.'),
        };
        return new SourceException(
            $"{_file.Name} cannot be read past page {_pages?.Pages ?? 0} (byte {_pages?.Offset ?? 0} of its text): {reason}; replace the file or take it out of the sources.", exception);
    }
}
