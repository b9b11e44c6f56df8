using System.Net;
using Microsoft.AspNetCore.Http;

namespace Streaming.Hosting.Control;

/// <summary>
/// Who may change the run. This machine may without a token, unless the request comes by way of a proxy or from a web page of
/// somebody else's (its <c>Origin</c>, or a name that was made to point here): a browser would lend them its place.
/// </summary>
internal sealed class ControlAccess(Func<ControlToken?> token)
{
    public const string UserHeader = "X-Streaming-User";
    private const int LongestName = 64;

    private static readonly string[] _ofProxies = ["Forwarded", "Via", "X-Real-IP"];

    /// <param name="Status">200, or what to answer instead.</param>
    /// <param name="Text">Who asks, for the event log; or why not.</param>
    public readonly record struct Verdict(int Status, string Text);

    public Verdict Judge(HttpContext context)
    {
        var request = context.Request;
        if (request.Headers.Origin.ToString() is { Length: > 0 } origin && !IsSameOrigin(origin, request))
            return new(StatusCodes.Status403Forbidden, $"a page of {Clean(origin)} may not change this run");
        if (request.Headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site") // what a browser says where it leaves out the origin
            return new(StatusCodes.Status403Forbidden, "a page of another site may not change this run");
        var authorization = request.Headers.Authorization.ToString();
        if (authorization.Length > 0)
        {
            return authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && token()?.Equals(authorization[7..].Trim()) == true
                ? new(StatusCodes.Status200OK, Who(context, "token"))
                : new(StatusCodes.Status401Unauthorized, "the token is wrong");
        }
        return IsThisMachine(context)
            ? new(StatusCodes.Status200OK, Who(context, "this machine"))
            : new(StatusCodes.Status401Unauthorized, "a token is needed: Authorization: Bearer …, from the file that streaming.control.token-file names (control.token in the run's folder)");
    }

    private static bool IsThisMachine(HttpContext context)
    {
        var headers = context.Request.Headers;
        if (headers.Keys.Any(name => name.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase) || _ofProxies.Contains(name, StringComparer.OrdinalIgnoreCase)))
            return false;
        var host = context.Request.Host.Host;
        var isLocalName = host is "localhost" or "[::1]" or "::1" || (IPAddress.TryParse(host.Trim('[', ']'), out var named) && IPAddress.IsLoopback(named));
        return isLocalName && context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address);
    }

    private static bool IsSameOrigin(string origin, HttpRequest request) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && string.Equals(uri.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);

    private static string Who(HttpContext context, string by)
    {
        var user = Clean(context.Request.Headers[UserHeader].ToString());
        var address = context.Connection.RemoteIpAddress is { } remote ? (remote.IsIPv4MappedToIPv6 ? remote.MapToIPv4() : remote).ToString() : "unknown address";
        return $"{(user.Length > 0 ? user : "somebody")}, {address}, {by}";
    }

    /// <summary>Printable, short, on one line.</summary>
    private static string Clean(string text) => string.Concat(text.Where(c => c is >= ' ' and <= '~').Take(LongestName));
}
