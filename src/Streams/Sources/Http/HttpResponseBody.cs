using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;

namespace Streaming.Streams.Sources.Http;

/// <summary>One answer of the server: the bytes of the file from <see cref="Start"/> up to <see cref="End"/>.</summary>
internal sealed class HttpResponseBody : IDisposable
{
    private static readonly HttpClient Direct = CreateClient(useProxy: false), Proxied = CreateClient(useProxy: true);

    private readonly HttpResponseMessage _response;
    private readonly Stream _body;

    private HttpResponseBody(HttpResponseMessage response, Stream body, long start, long? end, long? length)
    {
        (_response, _body, Start, End) = (response, body, start, end);
        Version = RemoteVersion.Of(response, length);
    }

    /// <summary>Place of the first byte in the file.</summary>
    public long Start { get; }

    /// <summary>Place behind the last byte; null where the server does not say.</summary>
    public long? End { get; }

    public RemoteVersion Version { get; }

    /// <summary>Whether the server sends ranges.</summary>
    public bool IsRange => _response.StatusCode == HttpStatusCode.PartialContent;

    /// <summary>Whether the file ends where the range should have begun.</summary>
    public bool IsPastEnd => _response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable;

    /// <summary>Whether the answer itself shows that it came to its end, though it did not say where that is.</summary>
    public bool MarksItsEnd => _response.Headers.TransferEncodingChunked == true;

    /// <summary>Asks for the file from <paramref name="start"/> on; the server may still send another part or all of it.</summary>
    /// <param name="condition">Ask for all of it if the file is no longer that one.</param>
    /// <exception cref="HttpInterruption">It may work another time.</exception>
    /// <exception cref="SourceException">It will not.</exception>
    public static async Task<HttpResponseBody> Ask(HttpAddress address, long? start, RangeConditionHeaderValue? condition, CancellationToken timeout)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, address.Request);
        request.Headers.Authorization = address.Authorization;
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (start is not null)
        {
            request.Headers.Range = new RangeHeaderValue(start, null);
            request.Headers.IfRange = start > 0 ? condition : null;
        }
        HttpResponseMessage? response = null;
        try
        {
            // A proxy named by the environment is for what lies outside this machine.
            response = await (address.Request.IsLoopback ? Direct : Proxied).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout);
            return await Open(address, response, timeout);
        }
        catch (Exception exception)
        {
            response?.Dispose();
            if (exception is HttpRequestException { InnerException: AuthenticationException cause })
                throw new SourceException($"{address.Name} cannot be read: its certificate is not trusted ({cause.Message.TrimEnd('.')}); check the address, or install the certificate's authority.", exception);
            throw;
        }
    }

    private static async Task<HttpResponseBody> Open(HttpAddress address, HttpResponseMessage response, CancellationToken timeout)
    {
        var headers = response.Content.Headers;
        var range = headers.ContentRange;
        switch (response.StatusCode)
        {
            case HttpStatusCode.OK:
                return new HttpResponseBody(response, await response.Content.ReadAsStreamAsync(timeout), 0, headers.ContentLength, headers.ContentLength);
            case HttpStatusCode.RequestedRangeNotSatisfiable:
                return new HttpResponseBody(response, Stream.Null, 0, 0, range?.Length);
            case HttpStatusCode.PartialContent:
                if (range?.From is not { } from || range.To is not { } to || range.Unit != "bytes" || range.Length <= to)
                    throw new HttpInterruption("the server sent a part and did not say which") { RangesAreWrong = true };
                if (headers.ContentLength is { } sent && sent != to + 1 - from)
                    throw new HttpInterruption($"the server announced bytes {from} to {to} and {sent} bytes") { RangesAreWrong = true };
                return new HttpResponseBody(response, await response.Content.ReadAsStreamAsync(timeout), from, to + 1, range.Length);
        }
        var status = $"the server answered {(int)response.StatusCode} ({response.ReasonPhrase})";
        if ((int)response.StatusCode >= 500 || response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or (HttpStatusCode)425)
        {
            var after = response.Headers.RetryAfter;
            throw new HttpInterruption(status, after?.Delta ?? after?.Date - DateTimeOffset.UtcNow);
        }
        var remedy = response.StatusCode switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => "give a user and a password that may read it (https://user:password@host/path)",
            HttpStatusCode.NotFound or HttpStatusCode.Gone => "check the address",
            HttpStatusCode.ProxyAuthenticationRequired => "give the proxy's user and password in its environment variable",
            >= HttpStatusCode.Ambiguous and < HttpStatusCode.BadRequest => "name the address that it redirects to",
            _ => "check the address and the server",
        };
        throw new SourceException($"{address.Name} cannot be read: {status}; {remedy}.");
    }

    /// <summary>Reads bytes; 0 at the end of the answer.</summary>
    public ValueTask<int> Read(Memory<byte> buffer, CancellationToken timeout) => _body.ReadAsync(buffer, timeout);

    public void Dispose()
    {
        _body.Dispose();
        _response.Dispose();
    }

    private static HttpClient CreateClient(bool useProxy)
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = useProxy,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5), // names are looked up again
            MaxResponseDrainSize = 0, // an answer that is given up is a connection that is given up
        })
        { Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Streaming", typeof(HttpResponseBody).Assembly.GetName().Version?.ToString(2)));
        return client;
    }
}
