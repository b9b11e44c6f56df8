using Streaming.Streams.Sources;
using Streaming.Streams.Sources.Http;

namespace Streaming.Streams.Tests.Sources.Http;

public sealed class CachedHttpStreamSpec : IDisposable
{
    private static readonly byte[] Content = HttpReadStreamSpec.MakeContent(150_000, seed: 1);

    private readonly TextFiles _files = new();

    private HttpOptions Options => new() { CacheFolder = Path.Combine(_files.Folder, "cache"), FirstDelay = TimeSpan.FromMilliseconds(1), Tries = 3 };

    public void Dispose() => _files.Dispose();

    [Fact]
    public void What_was_read_once_is_not_asked_for_again()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer());
        Assert.Equal(Content, Read(server));
        var asked = server.Requests.Count;
        Assert.Equal(Content, Read(server));
        Assert.Equal(asked, server.Requests.Count);
        server.Dispose();
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void A_partial_copy_is_taken_up()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer());
        using (var stream = Open(server))
            stream.ReadExactly(new byte[100_000]);
        var asked = server.Requests.Count;
        Assert.Equal(Content, Read(server));
        Assert.Contains(server.Requests.Skip(asked), request => request.RangeStart == 100_000);
        server.Dispose();
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void A_partial_copy_of_another_version_is_thrown_away()
    {
        var changed = HttpReadStreamSpec.MakeContent(150_000, seed: 2);
        var hasChanged = false;
        using var server = new HostileServer(Content, (_, _) => hasChanged ? new Answer { Content = changed, Tag = "\"second\"" } : new Answer());
        using (var stream = Open(server))
            stream.ReadExactly(new byte[100_000]);
        hasChanged = true;
        Assert.Equal(changed, Read(server));
        Assert.Equal(changed, Read(server));
    }

    [Fact]
    public void A_copy_that_was_cut_is_not_complete()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer());
        Read(server);
        var copy = Directory.GetFiles(Options.CacheFolder!, "*corpus.txt").Single();
        File.WriteAllBytes(copy, Content[..1000]);
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void A_second_reader_reads_past_the_copy_that_the_first_one_writes()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer());
        using var first = Open(server);
        first.ReadExactly(new byte[50_000]);
        Assert.Equal(Content, Read(server));
        var rest = new MemoryStream();
        first.CopyTo(rest);
        Assert.Equal(Content[50_000..], rest.ToArray());
    }

    [Fact]
    public void A_place_behind_the_copy_is_read_from_the_server_and_leaves_no_gap_in_it()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer());
        using (var stream = Open(server))
        {
            var bytes = new byte[1000];
            stream.ReadExactly(bytes);
            stream.Position = 140_000;
            stream.ReadExactly(bytes);
            Assert.Equal(Content[140_000..141_000], bytes);
            stream.Position = 500;
            stream.ReadExactly(bytes);
            Assert.Equal(Content[500..1500], bytes);
        }
        Assert.Equal(Content, Read(server));
        server.Dispose();
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_named()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer());
        var file = _files.Write("file", "text");
        var options = Options with { CacheFolder = Path.Combine(file, "cache") };
        Assert.Contains(file, Assert.Throws<SourceException>(() => Open(server, options)).Message);
    }

    private Stream Open(HostileServer server, HttpOptions? options = null) =>
        SourceFile.Ask(server.Address, options ?? Options, TestContext.Current.CancellationToken).Open(TestContext.Current.CancellationToken);

    private byte[] Read(HostileServer server)
    {
        using var stream = Open(server);
        using var read = new MemoryStream();
        stream.CopyTo(read);
        return read.ToArray();
    }
}
