using System.Net.Http.Headers;
using System.Text;

namespace Streaming.Streams.Sources.Http;

/// <summary>
/// The URL of a source. What may be secret in it, the user and password and the query, is sent and never shown.
/// </summary>
internal sealed class HttpAddress
{
    private HttpAddress(Uri uri)
    {
        var credentials = Uri.UnescapeDataString(uri.UserInfo);
        if (credentials.Length > 0)
            Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)));
        Request = new UriBuilder(uri) { UserName = "", Password = "", Fragment = "" }.Uri;
        Name = Request.GetLeftPart(UriPartial.Path) + (Request.Query.Length > 0 ? "?…" : "");
        FileName = Uri.UnescapeDataString(Request.Segments[^1].TrimEnd('/'));
    }

    /// <summary>What is asked for: without credentials, which go into <see cref="Authorization"/>, and without a fragment.</summary>
    public Uri Request { get; }

    public AuthenticationHeaderValue? Authorization { get; }

    /// <summary>How messages name it.</summary>
    public string Name { get; }

    /// <summary>The last segment of the path; empty where the path ends with a slash.</summary>
    public string FileName { get; }

    public static bool IsHttp(string source) =>
        source.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || source.StartsWith("https://", StringComparison.OrdinalIgnoreCase);

    /// <exception cref="SourceException">It is no URL.</exception>
    public static HttpAddress Parse(string source) =>
        Uri.TryCreate(source, UriKind.Absolute, out var uri) && uri.Host.Length > 0
            ? new HttpAddress(uri)
            : throw new SourceException($"{Mask(source)} is no valid URL; write it as https://host/path.");

    /// <summary>A text that may be no URL, without what may be secret in it.</summary>
    private static string Mask(string source)
    {
        var start = source.IndexOf("//", StringComparison.Ordinal) + 2;
        var end = source.IndexOfAny(['?', '#'], start);
        var shown = end < 0 ? source : source[..end];
        return shown[..start] + shown[(Math.Max(start - 1, shown.LastIndexOf('@')) + 1)..];
    }
}
