using System.Collections.Concurrent;
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

    private readonly ConcurrentDictionary<string, Asset?> _assets = new();

    /// <summary>Names of all files.</summary>
    public static IEnumerable<string> Names => typeof(PageAssets).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Select(name => name[Prefix.Length..]);

    /// <summary>Answers with a file, 304 where the client has it, or 404. No path of a request reaches the file system.</summary>
    public async Task ServeAsync(HttpContext context, string name)
    {
        if (_assets.GetOrAdd(name, Load) is not { } asset)
        {
            await Problems.WriteAsync(context, StatusCodes.Status404NotFound, "there is no such file").ConfigureAwait(false);
            return;
        }
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
        var body = asset.Bytes;
        if (context.Request.Headers.AcceptEncoding.ToString().Contains("br", StringComparison.Ordinal))
        {
            response.Headers.ContentEncoding = "br";
            body = asset.Brotli;
        }
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
    }

    private static Asset? Load(string name)
    {
        using var stream = typeof(PageAssets).Assembly.GetManifestResourceStream(Prefix + name);
        if (stream is null || !_types.TryGetValue(Path.GetExtension(name), out var type))
            return null;
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        var bytes = memory.ToArray();
        using var small = new MemoryStream();
        using (var brotli = new BrotliStream(small, CompressionLevel.Optimal))
            brotli.Write(bytes);
        return new Asset(type, bytes, small.ToArray(), $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]}\"");
    }

    private sealed record Asset(string Type, byte[] Bytes, byte[] Brotli, string Tag);
}
