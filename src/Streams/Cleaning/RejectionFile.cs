using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Cleaning;

/// <summary>Appends what was dropped to a file, an object a line. Whoever names the same file shares it. Thread-safe.</summary>
internal sealed class RejectionFile
{
    private static readonly ConcurrentDictionary<string, RejectionFile> _files = new();

    private readonly Lock _gate = new();
    private readonly string _path;
    private FileStream? _stream;

    private RejectionFile(string path) => _path = path;

    /// <summary>The file at the path; it is made when there is something to write.</summary>
    public static RejectionFile At(string path) => _files.GetOrAdd(Path.GetFullPath(path), full => new RejectionFile(full));

    /// <summary>A place to gather one batch's rejections, for one thread.</summary>
    public Buffer CreateBuffer(string source) => new(this, source);

    /// <exception cref="SourceException">The file cannot be written.</exception>
    private void Append(ReadOnlySpan<byte> lines)
    {
        try
        {
            lock (_gate)
            {
                _stream ??= new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
                _stream.Write(lines);
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new SourceException($"{_path}, for what cleaning drops, cannot be written ({failure.Message.TrimEnd('.')}); name another file or none in data.rejected-file.");
        }
    }

    /// <summary>What one batch had dropped. Not thread-safe.</summary>
    public sealed class Buffer : IBatchRejections
    {
        private readonly RejectionFile _file;
        private readonly string _source;
        private readonly ArrayBufferWriter<byte> _bytes = new(4096);
        private readonly Utf8JsonWriter _json;
        private char[] _joined = new char[1024];

        internal Buffer(RejectionFile file, string source)
        {
            (_file, _source) = (file, source);
            _json = new Utf8JsonWriter(_bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        }

        /// <summary>The document that is worked on; later passes over the text write nothing.</summary>
        public SourcePosition Document { get; set; }

        public void DropLine(TextBatch lines, int line, CleaningReason reason) => Write(lines[line], reason);

        public void DropDocument(TextBatch lines, int firstLine, int endLine, CleaningReason reason)
        {
            var length = 0;
            for (var line = firstLine; line < endLine; line++)
            {
                var text = lines[line];
                if (_joined.Length < length + text.Length + 1)
                    Array.Resize(ref _joined, Math.Max(length + text.Length + 1, _joined.Length * 2));
                if (line > firstLine)
                    _joined[length++] = '\n';
                text.CopyTo(_joined.AsSpan(length));
                length += text.Length;
            }
            Write(_joined.AsSpan(0, length), reason);
        }

        /// <summary>Writes the batch's rejections down.</summary>
        public void Flush()
        {
            if (_bytes.WrittenCount > 0)
                _file.Append(_bytes.WrittenSpan);
            _bytes.ResetWrittenCount();
        }

        private void Write(ReadOnlySpan<char> text, CleaningReason reason)
        {
            if (Document.Epoch > 0)
                return;
            _json.Reset(_bytes);
            _json.WriteStartObject();
            _json.WriteString("source", _source);
            _json.WriteNumber("file", Document.File);
            _json.WriteNumber("record", Document.Record);
            _json.WriteNumber("offset", Document.Offset);
            _json.WriteString("reason", reason.Label());
            _json.WriteString("text", text);
            _json.WriteEndObject();
            _json.Flush();
            _bytes.Write("\n"u8);
        }
    }
}
