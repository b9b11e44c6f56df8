using System.Net.Http.Headers;

namespace Streaming.Streams.Sources.Http;

/// <summary>What tells one state of a remote file from another; whatever the server does not say is null.</summary>
/// <param name="Tag">The ETag as it is sent, quotes and a weak one's <c>W/</c> included.</param>
/// <param name="Modified">The Last-Modified date.</param>
/// <param name="Length">Bytes.</param>
public sealed record RemoteVersion(string? Tag, DateTimeOffset? Modified, long? Length)
{
    /// <summary>What a cursor remembers of it.</summary>
    internal string? Mark => Tag ?? Modified?.ToString("u");

    internal static RemoteVersion Of(HttpResponseMessage response, long? length) =>
        new(response.Headers.NonValidated.TryGetValues("ETag", out var tags) ? tags.ToString() : null, response.Content.Headers.LastModified, length);

    /// <summary>What makes the server send the whole file instead of a range if the file is another one by now.</summary>
    internal RangeConditionHeaderValue? Condition =>
        EntityTagHeaderValue.TryParse(Tag, out var tag) && !tag.IsWeak ? new RangeConditionHeaderValue(tag)
        : Tag is null && Modified is { } date ? new RangeConditionHeaderValue(date)
        : null;

    /// <summary>Whether ETag or date say that it is the same file, whatever they say of its length.</summary>
    internal bool IsVouchedFor(RemoteVersion other) =>
        Tag is not null && other.Tag is not null ? Opaque(Tag) == Opaque(other.Tag) : Modified is not null && Modified == other.Modified;

    /// <summary>How the other one shows that it is another file, as the end of a sentence; null where nothing speaks against it.</summary>
    internal string? Contradiction(RemoteVersion other)
    {
        if (Tag is not null && other.Tag is not null)
            return Opaque(Tag) == Opaque(other.Tag) ? null : $"its ETag was {Tag} and is {other.Tag}";
        if (Modified is not null && other.Modified is not null && Modified != other.Modified)
            return $"it was of {Modified:u} and is of {other.Modified:u}";
        return Length is not null && other.Length is not null && Length != other.Length && !IsVouchedFor(other)
            ? $"it had {Length} bytes and has {other.Length}"
            : null;
    }

    private static bool IsWeak(string tag) => tag.StartsWith("W/", StringComparison.Ordinal);

    private static string Opaque(string tag) => IsWeak(tag) ? tag[2..] : tag;
}
