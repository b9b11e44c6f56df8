using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Streaming.Hosting.Live;

namespace Streaming.Hosting.Terminal;

/// <summary>Log lines that are one JSON object: <c>time</c>, <c>level</c>, <c>message</c>, and whatever else an event has.</summary>
internal static class JsonLine
{
    private const string Prefix = "streaming: ";

    public static string Of(LogLevel level, string message) => Of(json =>
    {
        json.WriteStartObject();
        json.WriteString("time", DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        json.WriteString("level", level.ToString().ToLowerInvariant());
        json.WriteString("message", message.StartsWith(Prefix, StringComparison.Ordinal) ? message[Prefix.Length..] : message.Trim());
        json.WriteEndObject();
    });

    public static string Of(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, EventLog.Format))
            write(json);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
