using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Streaming.Hosting.Live;

namespace Streaming.Hosting.Tests.Live;

public sealed class PageAssetsSpec
{
    private readonly PageAssets _assets = new();

    [Theory]
    [InlineData("gzip, deflate, br, zstd", "br")]
    [InlineData("gzip, deflate", "gzip")] // what browsers say over plain HTTP to another machine
    [InlineData("", "")]
    public async Task Every_file_is_served_as_small_as_the_client_takes_it(string accepted, string encoding)
    {
        foreach (var name in PageAssets.Names)
        {
            var (context, body) = await GetAsync(name, accepted);
            Assert.Equal(encoding, context.Response.Headers.ContentEncoding.ToString());
            using var sent = new MemoryStream(body);
            using Stream plain = encoding switch { "br" => new BrotliStream(sent, CompressionMode.Decompress), "gzip" => new GZipStream(sent, CompressionMode.Decompress), _ => sent };
            using var read = new MemoryStream();
            await plain.CopyToAsync(read, TestContext.Current.CancellationToken);
            Assert.Equal((await GetAsync(name, "")).Body, read.ToArray());
        }
    }

    [Fact]
    public async Task A_browser_that_has_a_file_is_not_sent_it_again()
    {
        var (first, _) = await GetAsync("page.js", "br");
        var (again, body) = await GetAsync("page.js", "br", first.Response.Headers.ETag.ToString());
        Assert.Equal((304, 0), (again.Response.StatusCode, body.Length));
    }

    [Theory]
    [InlineData("nothing.js")]
    [InlineData("../reference.conf")]
    [InlineData("page.js/")]
    public async Task What_is_no_file_of_the_page_is_not_found(string name) => Assert.Equal(404, (await GetAsync(name, "br")).Context.Response.StatusCode);

    private async Task<(HttpContext Context, byte[] Body)> GetAsync(string name, string accepted, string tag = "")
    {
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { Response = { Body = body } };
        context.Request.Headers.AcceptEncoding = accepted;
        context.Request.Headers.IfNoneMatch = tag;
        await _assets.ServeAsync(context, name);
        return (context, body.ToArray());
    }
}
