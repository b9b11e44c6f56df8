using System.Text.RegularExpressions;

namespace Streaming.Hosting.Configuration;

/// <summary>Keeps what may be secret in a URL, its user and password and its query, out of everything that is printed or written.</summary>
internal static partial class Secrets
{
    /// <summary>Something was left out of it: it leads nowhere.</summary>
    public static bool IsMasked(string text) => text.Contains("://***@", StringComparison.Ordinal) || text.EndsWith("?***", StringComparison.Ordinal);

    public static string Mask(string text) => Query().Replace(Credentials().Replace(text, "$1***@"), "$1?***");

    [GeneratedRegex("""(https?://)[^/\s"'@]*@""", RegexOptions.IgnoreCase)]
    private static partial Regex Credentials();

    [GeneratedRegex("""(https?://[^\s"'?]*)\?[^\s"',\]}]*""", RegexOptions.IgnoreCase)]
    private static partial Regex Query();
}
