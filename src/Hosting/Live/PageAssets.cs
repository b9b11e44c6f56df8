using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Streaming.Hosting.Http;

namespace Streaming.Hosting.Live;

/// <summary>
/// The page's files, embedded in the program: compressed once, told apart by an ETag, and free to ask nobody but this server.
/// </summary>
internal sealed class PageAssets
{
    private const string Prefix = "live/";

    private static readonly Dictionary<string, string> _types = new()
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".json"] = "application/json; charset=utf-8",
        [".svg"] = "image/svg+xml",
        [".txt"] = "text/plain; charset=utf-8",
    };

    // Every name from the start, so that asking for names which are none fills nothing.
    private readonly Dictionary<string, Lazy<Asset>> _assets = Names.ToDictionary(name => name, name => new Lazy<Asset>(() => Load(name)));

    /// <summary>Names of all files.</summary>
    public static IEnumerable<string> Names => typeof(PageAssets).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Select(name => name[Prefix.Length..]);

    /// <summary>Answers with a file, 304 where the client has it, or 404. No path of a request reaches the file system.</summary>
    public async Task ServeAsync(HttpContext context, string name)
    {
        if (!_assets.TryGetValue(name, out var file))
        {
            await Problems.WriteAsync(context, StatusCodes.Status404NotFound, "there is no such file").ConfigureAwait(false);
            return;
        }
        var asset = file.Value;
        var response = context.Response;
        response.Headers.ETag = asset.Tag;
        response.Headers.CacheControl = "no-cache"; // asked for each time, sent only where it changed
        response.Headers.Vary = "Accept-Encoding";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.XFrameOptions = "DENY";
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers.ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        if (context.Request.Headers.IfNoneMatch.Contains(asset.Tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        response.ContentType = asset.Type;
        var (encoding, body) = asset.For(context.Request.Headers.AcceptEncoding.ToString());
        if (encoding is not null)
            response.Headers.ContentEncoding = encoding;
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
    }

    private static Asset Load(string name)
    {
        using var stream = typeof(PageAssets).Assembly.GetManifestResourceStream(Prefix + name)!;
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        var bytes = memory.ToArray();
        return new Asset(_types[Path.GetExtension(name)], bytes, $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]}\"")
        {
            Brotli = Compress(small => new BrotliStream(small, CompressionLevel.SmallestSize)),
            Gzip = Compress(small => new GZipStream(small, CompressionLevel.SmallestSize)),
        };

        byte[] Compress(Func<Stream, Stream> with)
        {
            using var small = new MemoryStream();
            using (var compressor = with(small))
                compressor.Write(bytes);
            return small.ToArray();
        }
    }

    private sealed record Asset(string Type, byte[] Bytes, string Tag)
    {
        public required byte[] Brotli { get; init; }

        public required byte[] Gzip { get; init; }

        /// <summary>Browsers take Brotli over HTTPS and from their own machine alone; over plain HTTP from elsewhere they ask for gzip.</summary>
        public (string? Encoding, byte[] Body) For(string accepted) =>
            accepted.Contains("br", StringComparison.Ordinal) ? ("br", Brotli)
            : accepted.Contains("gzip", StringComparison.Ordinal) ? ("gzip", Gzip)
            : (null, Bytes);
    }
}
