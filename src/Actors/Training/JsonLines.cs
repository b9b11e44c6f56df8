using System.Text.Json;

namespace Streaming.Actors;

/// <summary>Files of JSON objects, a line each, as processes leave them that may be killed while they write.</summary>
internal static class JsonLines
{
    private const int ReadAtOnce = 1 << 16;

    /// <summary>Every line from the file's position on.</summary>
    /// <returns>Where each begins, its bytes without the line feed, which hold until the next one is asked for, and whether it has a line feed.</returns>
    public static IEnumerable<(long Start, ReadOnlyMemory<byte> Line, bool IsEnded)> Read(FileStream file)
    {
        var buffer = new byte[ReadAtOnce];
        var held = 0;
        var start = file.Position;
        while (true)
        {
            var read = file.Read(buffer, held, buffer.Length - held);
            var from = 0;
            for (var searched = held; Array.IndexOf(buffer, (byte)'\n', searched, held + read - searched) is var end and >= 0; searched = from)
            {
                yield return (start, buffer.AsMemory(from, end - from), true);
                start += end + 1 - from;
                from = end + 1;
            }
            held += read - from;
            if (read == 0)
                break;
            Array.Copy(buffer, from, buffer, 0, held);
            if (held == buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
        }
        if (held > 0)
            yield return (start, buffer.AsMemory(0, held), false);
    }

    /// <returns>The line as an object with a <c>step</c>; null where it is none.</returns>
    public static JsonElement? TryParse(ReadOnlyMemory<byte> line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("step", out var step)
                && step.ValueKind == JsonValueKind.Number && step.TryGetInt64(out _)
                ? json.RootElement.Clone()
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
