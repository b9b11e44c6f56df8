using System.Text;
using Streaming.Streams.Compression;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Tests.Records;

public sealed class SourceKindsSpec : IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("a.jsonl", "broken\n{}", SourceKind.JsonLines)]
    [InlineData("a.ndjson.gz", "{}", SourceKind.JsonLines)]
    [InlineData("a.json", "\n {\"text\": 1}", SourceKind.JsonLines)]
    [InlineData("a.gz", "{\"text\": 1}", SourceKind.JsonLines)]
    [InlineData("a.txt", "{\"text\": 1}", SourceKind.Lines)]
    [InlineData("a.txt.xz", "text", SourceKind.Lines)]
    [InlineData("a", "{brackets} in prose", SourceKind.Lines)]
    [InlineData("a", "", SourceKind.Lines)]
    [InlineData("a", "PK\u0003\u0004....", SourceKind.Lines)]
    [InlineData("a.PARQUET", "", SourceKind.Parquet)]
    [InlineData("a", "PAR1....", SourceKind.Parquet)]
    [InlineData("a.xml.bz2", "<mediawiki xmlns=\"x\">", SourceKind.Wikipedia)]
    [InlineData("pages", "<?xml version='1.0'?>\n<mediawiki>", SourceKind.Wikipedia)]
    public void A_file_is_told_by_its_name_and_its_first_bytes(string name, string text, SourceKind kind)
    {
        var format = Path.GetExtension(name) switch { ".gz" => CompressionFormat.Gzip, ".xz" => CompressionFormat.Xz, ".bz2" => CompressionFormat.Bzip2, _ => CompressionFormat.Plain };
        var path = _files.Write(name, Encoding.UTF8.GetBytes(text), format);
        Assert.Equal(kind, SourceKinds.Of(new SourceFile(path, 1), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("a.xml", "<rss>", "no MediaWiki export")]
    [InlineData("a.json", "[{}]", "JSON array")]
    public void What_is_not_read_is_named(string name, string text, string reason)
    {
        var path = _files.Write(name, text);
        var message = Assert.Throws<SourceException>(() => SourceKinds.Of(new SourceFile(path, 1), TestContext.Current.CancellationToken)).Message;
        Assert.StartsWith(path, message);
        Assert.Contains(reason, message);
    }

    [Fact]
    public void What_can_be_read_once_goes_by_its_name() =>
        Assert.Equal(SourceKind.Lines, SourceKinds.Of(new SourceFile(SourceFile.StandardInput, null), TestContext.Current.CancellationToken));
}
