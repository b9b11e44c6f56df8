using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Live;

/// <summary>
/// <c>events.jsonl</c> of the run's folder: an object a line for everything but steps, every process of the run after the one
/// before. The last ones are kept in memory, those of earlier processes too. A line that the disk does not take waits for the next one.
/// Thread-safe.
/// </summary>
internal sealed class EventLog(TimeProvider time) : IRunObserver, IDisposable
{
    public const string FileName = "events.jsonl";
    private const int Kept = 1000;
    private const int TailBytes = 512 << 10;

    /// <summary>Japanese text stays readable in the file.</summary>
    internal static readonly JsonWriterOptions Format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Lock _lock = new();
    private readonly Queue<byte[]> _last = new();
    private readonly Queue<byte[]> _waiting = new();
    private FileStream? _file;
    private long _written; // what lies beyond is half a line
    private long? _step;

    /// <summary>Told of each line, an object in UTF-8 without its line end.</summary>
    public event Action<byte[]>? Added;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is TrainerProtocol.StepCompleted step)
            _step = step.Step;
        if (happened is RunProtocol.Started started)
        {
            _step = started.Step;
            Open(started.RunDirectory);
        }
        if (RunEvent.Of(happened, time.GetUtcNow(), _step) is not { } line)
            return;
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, Format))
            line.WriteTo(json);
        Add(buffer.WrittenSpan.ToArray());
    }

    /// <summary>The last events, the oldest first, as a JSON array.</summary>
    public byte[] Read(int most)
    {
        lock (_lock)
        {
            var array = new ArrayBufferWriter<byte>(1 << 14);
            array.Write("["u8);
            var first = true;
            foreach (var line in _last.Skip(Math.Max(0, _last.Count - most)))
            {
                if (!first)
                    array.Write(",\n"u8);
                array.Write(line);
                first = false;
            }
            array.Write("]\n"u8);
            return array.WrittenSpan.ToArray();
        }
    }

    public void Dispose() => _file?.Dispose();

    private void Add(byte[] line)
    {
        lock (_lock)
        {
            Keep(line);
            Write(line);
        }
        Added?.Invoke(line);
    }

    private void Keep(byte[] line)
    {
        if (_last.Count == Kept)
            _last.Dequeue();
        _last.Enqueue(line);
    }

    /// <summary>A full disk holds the lines up, not the run: the last ones wait in memory.</summary>
    private void Write(byte[] line)
    {
        if (_waiting.Count == Kept)
            _waiting.Dequeue();
        _waiting.Enqueue(line);
        if (_file is null)
            return;
        try
        {
            while (_waiting.TryPeek(out var next))
            {
                if (_file.Length != _written)
                    _file.SetLength(_written);
                RandomAccess.Write(_file.SafeFileHandle, [.. next, (byte)'\n'], _written);
                _written += next.Length + 1;
                _waiting.Dequeue();
            }
        }
        catch (IOException)
        {
            // With the next line.
        }
    }

    /// <summary>Only once the run holds its folder; what was said before follows the lines of the processes before.</summary>
    /// <exception cref="IOException">The file cannot be read or written.</exception>
    private void Open(string folder)
    {
        lock (_lock)
        {
            if (_file is not null)
                return;
            var said = _last.ToArray();
            var path = Path.Combine(folder, FileName);
            var before = Tail(path).ToList();
            _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            _written = EndOfLastLine(_file);
            _last.Clear();
            foreach (var line in before.Concat(said))
                Keep(line);
        }
    }

    /// <summary>A process that was killed may have left half a line.</summary>
    private static long EndOfLastLine(FileStream file)
    {
        var tail = new byte[Math.Min(file.Length, TailBytes)];
        var at = file.Length - tail.Length;
        RandomAccess.Read(file.SafeFileHandle, tail, at);
        return tail.AsSpan().LastIndexOf((byte)'\n') is var last and >= 0 ? at + last + 1 : at;
    }

    private static IEnumerable<byte[]> Tail(string path)
    {
        if (!File.Exists(path))
            yield break;
        using var file = File.OpenRead(path);
        file.Seek(Math.Max(0, file.Length - TailBytes), SeekOrigin.Begin);
        using var reader = new StreamReader(file, Encoding.UTF8);
        while (reader.ReadLine() is { } line)
        {
            if (IsObject(line))
                yield return Encoding.UTF8.GetBytes(line);
        }
    }

    /// <summary>The first line of a tail, and one that a killed process left, may be cut.</summary>
    private static bool IsObject(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
