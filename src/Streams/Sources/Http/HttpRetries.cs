using System.Diagnostics;

namespace Streaming.Streams.Sources.Http;

/// <summary>Failures in a row of one file's requests: how long is waited after each, and when there is no further try.</summary>
/// <param name="address">The file, for messages.</param>
/// <param name="options">Tries and delays.</param>
/// <param name="stop">Ends waiting with an <see cref="OperationCanceledException"/>.</param>
internal sealed class HttpRetries(HttpAddress address, HttpOptions options, CancellationToken stop)
{
    private const int TriesOfTheFirstContact = 5;

    /// <summary>In a row so far.</summary>
    public int Failures { get; private set; }

    /// <summary>Some answer has come: until then a mistyped name is as likely as an outage, and should not keep the user waiting.</summary>
    public bool ServerIsThere { get; set; }

    /// <summary>New bytes have come.</summary>
    public void Succeed() => Failures = 0;

    /// <summary>Waits until it may be tried once more.</summary>
    /// <param name="cause">What failed.</param>
    /// <param name="position">Bytes that have been read.</param>
    /// <exception cref="SourceOutageException">It may not.</exception>
    public void Wait(Exception cause, long position)
    {
        Failures++;
        var interruption = cause as HttpInterruption;
        var tries = ServerIsThere || interruption is not null ? options.Tries : Math.Min(options.Tries, TriesOfTheFirstContact);
        var what = interruption?.Message ?? $"the connection failed ({Describe(cause)})";
        var delay = options.Delay(Failures);
        if (interruption?.RetryAfter is { } asked && asked > delay)
            delay = asked;
        if (Failures >= tries || delay > Max(options.LongestRetryAfter, options.LongestDelay))
            throw new SourceOutageException(
                $"{address.Name} cannot be read past byte {position}: {what}, after {Failures} {(Failures == 1 ? "try" : "tries")} in a row"
                + $"{(Failures < tries ? $" with a wish to be asked again in {delay.TotalMinutes:0} minutes" : "")}; check the server and the network.", cause);
        options.OnNotice?.Invoke($"{address.Name}: {what} at byte {position}; try {Failures + 1} of {tries} in {delay.TotalSeconds:0.0} s.");
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < delay)
            if (stop.WaitHandle.WaitOne(delay))
                stop.ThrowIfCancellationRequested();
    }

    private static TimeSpan Max(TimeSpan first, TimeSpan second) => first > second ? first : second;

    private static string Describe(Exception exception) => (exception.InnerException ?? exception).Message.TrimEnd('.');
}
