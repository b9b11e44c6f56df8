namespace Streaming.Streams.Sources.Http;

/// <summary>How sources are read over HTTP.</summary>
public sealed record HttpOptions
{
    public static HttpOptions Default { get; } = new();

    /// <summary>Time without a byte after which a connection counts as stalled; also the limit for connecting and for the answer's headers.</summary>
    public TimeSpan ReadTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Tries in a row that bring no new byte before the source counts as unreachable.</summary>
    public int Tries { get; init; } = 10;

    /// <summary>Wait before the second try. It doubles with each further one, and a random part of up to a half is taken off.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest wait of our own choice; a server's Retry-After is waited for up to <see cref="LongestRetryAfter"/>.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>A server that asks to be left alone for longer counts as unreachable.</summary>
    public TimeSpan LongestRetryAfter { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Folder that keeps what has been read; null keeps nothing. Later epochs and runs read from there.</summary>
    public string? CacheFolder { get; init; }

    /// <summary>Told in one sentence of every retry and of a cache that cannot be written.</summary>
    public Action<string>? OnNotice { get; init; }

    /// <summary>The wait before the next try, after so many <paramref name="failures"/> in a row.</summary>
    internal TimeSpan Delay(int failures)
    {
        var seconds = Math.Min(LongestDelay.TotalSeconds, FirstDelay.TotalSeconds * Math.Pow(2, failures - 1));
        return TimeSpan.FromSeconds(seconds * (1 - Random.Shared.NextDouble() / 2));
    }
}
