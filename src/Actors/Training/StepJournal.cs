using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Streaming.Actors;

/// <summary>
/// A file of JSON objects, one a line, each with the <c>step</c> it belongs to, in order. Opened for a run at step S it forgets what was
/// written beyond S (the steps after the last checkpoint of a killed process), so a resumed run leaves neither gap nor repeat. While the
/// disk takes nothing, lines wait in memory. Not thread-safe.
/// </summary>
internal sealed class StepJournal : IDisposable
{
    /// <summary>A disk that has been full for so many bytes of lines will not be less full by waiting: some hundred thousand steps.</summary>
    private const int MostWaitingBytes = 64 << 20;

    private readonly FileStream _file;
    private readonly ArrayBufferWriter<byte> _waiting = new(256);
    private long _written;

    private StepJournal(FileStream file) => _file = file;

    /// <summary>Lines wait for the disk to take them.</summary>
    public bool IsBehind => _waiting.WrittenCount > 0;

    /// <summary>Opens or creates the file and cuts it behind the last line whose step is at most <paramref name="step"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="step">Steps taken.</param>
    /// <param name="kept">Sees each line that stays.</param>
    public static StepJournal Open(string path, long step, Action<JsonElement>? kept = null)
    {
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        var journal = new StepJournal(file);
        journal._written = journal.FindEnd(step, kept);
        file.SetLength(journal._written);
        file.Seek(0, SeekOrigin.End);
        return journal;
    }

    /// <summary>Appends a line.</summary>
    /// <param name="write">Writes the properties, <c>step</c> among them.</param>
    /// <exception cref="IOException">The disk has taken nothing for so long that memory would run out.</exception>
    public void Write(Action<Utf8JsonWriter> write)
    {
        using (var json = new Utf8JsonWriter(_waiting))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        _waiting.Write("\n"u8);
        try
        {
            Flush();
        }
        catch (IOException) when (_waiting.WrittenCount < MostWaitingBytes)
        {
            // The next line tries again, and a checkpoint does not go without.
        }
    }

    /// <summary>Hands every line to the operating system.</summary>
    /// <exception cref="IOException">The disk is full, or fails.</exception>
    public void Flush()
    {
        if (_waiting.WrittenCount == 0)
            return;
        if (_file.Position != _written)
        {
            _file.SetLength(_written); // half a line that went before the disk was full
            _file.Position = _written;
        }
        _file.Write(_waiting.WrittenSpan);
        _written = _file.Position;
        _waiting.ResetWrittenCount();
    }

    public void Dispose()
    {
        try
        {
            Flush();
        }
        catch (IOException)
        {
            // What is lost is beyond the last checkpoint.
        }
        _file.Dispose();
    }

    private long FindEnd(long step, Action<JsonElement>? kept)
    {
        using var reader = new StreamReader(_file, Encoding.UTF8, false, 1 << 16, leaveOpen: true);
        long end = 0;
        while (reader.ReadLine() is { } line)
        {
            var next = end + Encoding.UTF8.GetByteCount(line) + 1;
            if (next > _file.Length || TryRead(line) is not { } json || json.GetProperty("step").GetInt64() > step)
                return end;
            kept?.Invoke(json);
            end = next;
        }
        return end;
    }

    /// <returns>Null for a line that a killed process left half written.</returns>
    private static JsonElement? TryRead(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("step", out var value) && value.TryGetInt64(out _)
                ? json.RootElement.Clone()
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
