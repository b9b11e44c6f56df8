using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Streaming.Model.Safetensors;

/// <summary>
/// Writes a safetensors file as a stream: the header first, then the tensors in the order they were announced, so that no
/// more than one tensor need be in memory.
/// </summary>
public sealed class SafetensorsWriter
{
    private const int ChunkElements = 1 << 15;

    /// <summary>Of what is written as it is: a span cannot have more than 2 GiB of bytes.</summary>
    private const int WholeElements = 1 << 28;

    private readonly Stream _stream;
    private readonly IReadOnlyList<TensorEntry> _tensors;
    private int _written;

    private SafetensorsWriter(Stream stream, IReadOnlyList<TensorEntry> tensors) => (_stream, _tensors) = (stream, tensors);

    /// <summary>Writes the header.</summary>
    /// <param name="stream">Stays open; the caller flushes and closes it.</param>
    /// <param name="tensors">Names, types (F32, BF16, F16, I64) and shapes of what follows, in that order.</param>
    /// <param name="metadata">Texts for <c>__metadata__</c>; <c>format</c> = <c>pt</c>, which Transformers asks for, is always there.</param>
    public static SafetensorsWriter Begin(
        Stream stream,
        IEnumerable<(string Name, TensorType Type, IReadOnlyList<long> Shape)> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        var entries = new List<TensorEntry>();
        long offset = 0;
        foreach (var (name, type, shape) in tensors)
        {
            var count = TensorEntry.CountOf(shape) ?? throw new ArgumentException($"tensor '{name}' has an impossible shape", nameof(tensors));
            entries.Add(new TensorEntry(name, type, [.. shape], offset, count * TensorEntry.SizeOf(type)));
            offset += entries[^1].Bytes;
        }
        WriteHeader(stream, entries, metadata);
        return new SafetensorsWriter(stream, entries);
    }

    /// <summary>Writes the next tensor, converted to the type it was announced with.</summary>
    public void Write(ReadOnlySpan<float> values)
    {
        var tensor = Next(values.Length);
        if (tensor.Type == TensorType.F32 && BitConverter.IsLittleEndian)
        {
            for (; values.Length > WholeElements; values = values[WholeElements..])
                _stream.Write(MemoryMarshal.AsBytes(values[..WholeElements]));
            _stream.Write(MemoryMarshal.AsBytes(values));
            return;
        }
        if (tensor.Type is not (TensorType.BF16 or TensorType.F16))
            throw new InvalidOperationException($"tensor '{tensor.Name}' was announced as {tensor.Type}, which is not written from float32");
        var chunk = ArrayPool<ushort>.Shared.Rent(ChunkElements);
        while (!values.IsEmpty)
        {
            var count = Math.Min(values.Length, ChunkElements);
            for (var i = 0; i < count; i++)
                chunk[i] = tensor.Type == TensorType.BF16 ? Elements.ToBFloat16(values[i]) : BitConverter.HalfToUInt16Bits((Half)values[i]);
            _stream.Write(MemoryMarshal.AsBytes(chunk.AsSpan(0, count)));
            values = values[count..];
        }
        ArrayPool<ushort>.Shared.Return(chunk);
    }

    /// <summary>Writes the next tensor of 64-bit integers.</summary>
    public void Write(ReadOnlySpan<long> values)
    {
        var tensor = Next(values.Length);
        if (tensor.Type != TensorType.I64)
            throw new InvalidOperationException($"tensor '{tensor.Name}' was announced as {tensor.Type}, not I64");
        _stream.Write(MemoryMarshal.AsBytes(values));
    }

    /// <summary>Checks that every announced tensor was written.</summary>
    public void Complete()
    {
        if (_written != _tensors.Count)
            throw new InvalidOperationException($"{_tensors.Count} tensors were announced, {_written} written");
    }

    private TensorEntry Next(int count)
    {
        if (_written == _tensors.Count)
            throw new InvalidOperationException("more tensors than were announced");
        var tensor = _tensors[_written++];
        return tensor.Count == count
            ? tensor
            : throw new InvalidOperationException($"tensor '{tensor.Name}' was announced with {tensor.Count} elements, got {count}");
    }

    private static void WriteHeader(Stream stream, List<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            foreach (var (key, value) in metadata ?? new Dictionary<string, string>())
            {
                if (key != "format")
                    json.WriteString(key, value);
            }
            json.WriteEndObject();
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type.ToString());
                json.WriteStartArray("shape");
                foreach (var size in tensor.Shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(tensor.Offset);
                json.WriteNumberValue(tensor.Offset + tensor.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        // Spaces after the JSON, so that the data begins at a multiple of eight bytes.
        var padding = (8 - buffer.WrittenCount % 8) % 8;
        Span<byte> prefix = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)(buffer.WrittenCount + padding));
        stream.Write(prefix);
        stream.Write(buffer.WrittenSpan);
        for (var i = 0; i < padding; i++)
            stream.WriteByte((byte)' ');
    }
}
