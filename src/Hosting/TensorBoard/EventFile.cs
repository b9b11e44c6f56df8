using System.Buffers.Binary;
using System.Numerics;

namespace Streaming.Hosting.TensorBoard;

/// <summary>
/// TensorBoard's event file: TFRecord frames (length, its checksum, data, their checksum), each an <c>Event</c> message of
/// TensorFlow's <c>event.proto</c>. A message that the disk does not take is lost, and the next one takes its place. Not thread-safe.
/// </summary>
internal sealed class EventFile : IDisposable
{
    private readonly FileStream _file;
    private readonly TimeProvider _time;
    private long _written; // what lies beyond is half a message

    /// <param name="folder">What TensorBoard is pointed at; made where it is missing.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public EventFile(string folder, TimeProvider time)
    {
        _time = time;
        Directory.CreateDirectory(folder);
        Path = System.IO.Path.Combine(folder, $"events.out.tfevents.{time.GetUtcNow().ToUnixTimeSeconds():D10}.{Environment.MachineName}.{Environment.ProcessId}.0");
        _file = new FileStream(Path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0); // readers follow it while the run goes on
        try
        {
            Write(Event(0, message => message.Text(3, "brain.Event:2"))); // file_version
        }
        catch (IOException)
        {
            _file.Dispose();
            File.Delete(Path);
            throw;
        }
    }

    /// <summary>Full path of the file.</summary>
    public string Path { get; }

    /// <summary>From this step on the training goes on: what was written of it before is forgotten.</summary>
    public void Begin(long step) => Write(Event(step, message => message.Message(7, log => log.Integer(1, 1)))); // session_log, status START

    public void Scalars(long step, params ReadOnlySpan<(string Tag, double Value)> scalars)
    {
        var summary = new ProtoWriter();
        foreach (var (tag, number) in scalars)
        {
            summary.Message(1, value =>
            {
                value.Text(1, tag);
                value.Float(2, (float)number); // simple_value
            });
        }
        Write(Event(step, message => message.Bytes(5, summary.Written)));
    }

    /// <summary>A text for the plugin of that name.</summary>
    public void Text(long step, string tag, string text) => Write(Event(step, message => message.Message(5, summary => summary.Message(1, value =>
    {
        value.Text(1, tag);
        value.Message(9, metadata => metadata.Message(1, plugin => plugin.Text(1, "text")));
        value.Message(8, tensor =>
        {
            tensor.Integer(1, 7); // DT_STRING
            tensor.Message(2, shape => shape.Message(2, dimension => dimension.Integer(1, 1)));
            tensor.Text(8, text); // string_val
        });
    }))));

    public void Dispose() => _file.Dispose();

    private ProtoWriter Event(long step, Action<ProtoWriter> what)
    {
        var message = new ProtoWriter();
        message.Double(1, _time.GetUtcNow().ToUnixTimeMilliseconds() / 1e3); // wall_time
        message.Integer(2, step);
        what(message);
        return message;
    }

    private void Write(ProtoWriter message)
    {
        var data = message.Written;
        var frame = new byte[12 + data.Length + 4];
        BinaryPrimitives.WriteUInt64LittleEndian(frame, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(8), MaskedChecksum(frame.AsSpan(0, 8)));
        data.CopyTo(frame.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(12 + data.Length), MaskedChecksum(data));
        if (_file.Length != _written)
            _file.SetLength(_written);
        RandomAccess.Write(_file.SafeFileHandle, frame, _written);
        _written += frame.Length;
    }

    /// <summary>CRC-32C, turned and shifted, as TFRecord has it: a checksum of data with checksums would otherwise be weak.</summary>
    internal static uint MaskedChecksum(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
            crc = BitOperations.Crc32C(crc, value);
        crc = ~crc;
        return BitOperations.RotateRight(crc, 15) + 0xa282ead8u;
    }
}
