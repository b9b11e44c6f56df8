using System.Text;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources;
using Streaming.Streams.Tests.Compression;
using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Tests.Wikipedia;

public sealed class WikiDumpSpec : IDisposable
{
    private const string Dump = "<mediawiki><page><title>甲</title></page><page><title>乙</title></page></mediawiki>";

    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData(CompressionFormat.Plain)]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Xz)]
    [InlineData(CompressionFormat.Bzip2)]
    [InlineData(CompressionFormat.Zstandard)]
    public void A_dump_is_read_however_it_is_compressed(CompressionFormat format)
    {
        using var dump = Open("dump", Encoding.UTF8.GetBytes(Dump), format);
        Assert.True(dump.TryRead(out _));
        Assert.True(dump.TryRead(out var page));
        Assert.Equal("<page><title>乙</title></page>", Encoding.UTF8.GetString(page));
        Assert.False(dump.TryRead(out _));
    }

    [Fact]
    public void A_dump_that_is_cut_short_is_one_sentence_with_the_place()
    {
        using var dump = Open("cut.xml", Encoding.UTF8.GetBytes(Dump[..^20]));
        Assert.True(dump.TryRead(out _));
        var failure = Assert.Throws<SourceException>(() => dump.TryRead(out _));
        Assert.StartsWith(Path.Combine(_files.Folder, "cut.xml") + " cannot be read past page 1 (byte 42 of its text): the dump is cut short", failure.Message);
        Assert.DoesNotContain('\n', failure.Message);
    }

    [Fact]
    public void A_damaged_archive_is_one_sentence()
    {
        var archive = Archives.Compress(CompressionFormat.Bzip2, Encoding.UTF8.GetBytes(Dump));
        using var dump = Open("cut.bz2", archive[..(archive.Length / 2)]);
        Assert.Contains("the archive is cut short", Assert.Throws<SourceException>(() => dump.TryRead(out _)).Message);
        Assert.Contains("zip archive", Assert.Throws<SourceException>(() => Open("a.zip", [(byte)'P', (byte)'K', 3, 4, 0, 0, 0, 0, 0, 0])).Message);
    }

    private WikiDump Open(string name, byte[] bytes, CompressionFormat format = CompressionFormat.Plain) =>
        new(SourceList.Expand([_files.Write(name, bytes, format)])[0]);
}
