using System.Buffers;
using System.Text.Json;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors;

/// <summary>
/// A file of JSON objects, one a line, each with the <c>step</c> it belongs to, in order. Opened for a run at step S it forgets what was
/// written beyond S (the steps after the last checkpoint of a killed process), so a resumed run leaves neither gap nor repeat. A damaged
/// line costs itself alone. While the disk takes nothing, lines wait in memory. Not thread-safe.
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
    /// <param name="notice">Told where lines between those that stay cannot be read, and are left out.</param>
    public static StepJournal Open(string path, long step, Action<JsonElement>? kept = null, Action<string>? notice = null)
    {
        var file = OpenFile(path);
        var (end, damaged) = Scan(file, step, kept);
        if (damaged.Count > 0)
        {
            using (file)
                end = CopyWithout(damaged, end, file, path);
            file = OpenFile(path);
            notice?.Invoke($"{damaged.Count} damaged {(damaged.Count == 1 ? "line" : "lines")} of {path}, the first at byte {damaged[0].Start}, cannot be read: left out");
        }
        file.SetLength(end);
        file.Seek(0, SeekOrigin.End);
        return new StepJournal(file) { _written = end };
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

    private static FileStream OpenFile(string path) => new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);

    /// <returns>The end of the last line that stays, and where damaged lines lie before it. Those behind it are of later steps, or what a kill left half written.</returns>
    private static (long End, List<(long Start, long Length)> Damaged) Scan(FileStream file, long step, Action<JsonElement>? kept)
    {
        long end = 0;
        var (damaged, since) = (new List<(long, long)>(), new List<(long, long)>());
        foreach (var (start, line, isEnded) in JsonLines.Read(file))
        {
            if (!isEnded)
                break;
            if (JsonLines.TryParse(line) is not { } json)
            {
                since.Add((start, line.Length + 1));
                continue;
            }
            if (json.GetProperty("step").GetInt64() > step)
            {
                since.Add((start, line.Length + 1)); // forgotten, unless what belongs here comes behind it: then its step is damaged
                continue;
            }
            kept?.Invoke(json);
            end = start + line.Length + 1;
            damaged.AddRange(since);
            since.Clear();
        }
        return (end, damaged);
    }

    /// <returns>Length of the file that took the place of <paramref name="file"/>, in one move.</returns>
    private static long CopyWithout(IReadOnlyList<(long Start, long Length)> damaged, long end, FileStream file, string path)
    {
        var aside = path + ".new";
        using (var copy = new FileStream(aside, FileMode.Create, FileAccess.Write))
        {
            long at = 0;
            foreach (var (start, length) in damaged.Append((Start: end, Length: 0)))
            {
                file.Position = at;
                for (var left = start - at; left > 0;)
                {
                    var piece = new byte[Math.Min(left, 1 << 16)];
                    file.ReadExactly(piece);
                    copy.Write(piece);
                    left -= piece.Length;
                }
                at = start + length;
            }
            copy.Flush(flushToDisk: true);
            end = copy.Length;
        }
        DurableFiles.Rename(aside, path);
        return end;
    }
}
