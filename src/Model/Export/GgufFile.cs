using System.Runtime.InteropServices;
using System.Text;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Export;

/// <summary>
/// Writes a GGUF file, version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): metadata, the table of
/// tensors, then their data, each at a multiple of 32 bytes. Little-endian.
/// </summary>
public sealed class GgufFile
{
    private const int Alignment = 32;
    private const uint Version = 3;

    private readonly List<(string Key, Action<BinaryWriter> Write)> _metadata = [];
    private readonly List<(string Name, long[] Shape, TensorType Type, Func<float[]> Read)> _tensors = [];

    private enum ValueKind : uint { UInt8 = 0, UInt32 = 4, Int32 = 5, Float32 = 6, Bool = 7, String = 8, Array = 9 }

    public void Add(string key, string value) => AddValue(key, ValueKind.String, writer => WriteText(writer, value));

    public void Add(string key, int value) => AddValue(key, ValueKind.UInt32, writer => writer.Write((uint)value));

    public void Add(string key, float value) => AddValue(key, ValueKind.Float32, writer => writer.Write(value));

    public void Add(string key, bool value) => AddValue(key, ValueKind.Bool, writer => writer.Write(value));

    public void Add(string key, IReadOnlyCollection<string> values) => AddArray(key, ValueKind.String, values, WriteText);

    public void Add(string key, IReadOnlyCollection<float> values) => AddArray(key, ValueKind.Float32, values, (writer, value) => writer.Write(value));

    public void Add(string key, IReadOnlyCollection<int> values) => AddArray(key, ValueKind.Int32, values, (writer, value) => writer.Write(value));

    public void Add(string key, byte[] values) => AddArray(key, ValueKind.UInt8, values, (writer, value) => writer.Write(value));

    /// <param name="name">Name of the tensor.</param>
    /// <param name="shape">Sizes, outermost first, as everywhere in this program; the file has them the other way round.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="read">Its values, asked for when it is written.</param>
    public void AddTensor(string name, IReadOnlyList<long> shape, TensorType type, Func<float[]> read) => _tensors.Add((name, [.. shape], type, read));

    public void Write(Stream stream)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write((ulong)_tensors.Count);
        writer.Write((ulong)_metadata.Count);
        foreach (var (key, write) in _metadata)
        {
            WriteText(writer, key);
            write(writer);
        }
        long offset = 0;
        foreach (var (name, shape, type, _) in _tensors)
        {
            WriteText(writer, name);
            writer.Write((uint)shape.Length);
            foreach (var size in shape.Reverse())
                writer.Write((ulong)size);
            writer.Write(type switch { TensorType.F32 => 0u, TensorType.F16 => 1u, TensorType.BF16 => 30u, _ => throw new ArgumentException($"{name} has the type {type}") });
            writer.Write((ulong)offset);
            offset += Padded(shape.Aggregate(1L, (product, size) => product * size) * TensorEntry.SizeOf(type));
        }
        Pad(writer);
        foreach (var (_, _, type, read) in _tensors)
        {
            WriteValues(writer, read(), type);
            Pad(writer);
        }
    }

    private void AddValue(string key, ValueKind kind, Action<BinaryWriter> write) => _metadata.Add((key, writer =>
    {
        writer.Write((uint)kind);
        write(writer);
    }
    ));

    private void AddArray<T>(string key, ValueKind kind, IReadOnlyCollection<T> values, Action<BinaryWriter, T> write) => AddValue(key, ValueKind.Array, writer =>
    {
        writer.Write((uint)kind);
        writer.Write((ulong)values.Count);
        foreach (var value in values)
            write(writer, value);
    });

    private static void WriteValues(BinaryWriter writer, ReadOnlySpan<float> values, TensorType type)
    {
        if (type == TensorType.F32)
        {
            writer.Write(MemoryMarshal.AsBytes(values));
            return;
        }
        var converted = new ushort[Math.Min(values.Length, 1 << 15)];
        while (!values.IsEmpty)
        {
            var count = Math.Min(values.Length, converted.Length);
            for (var i = 0; i < count; i++)
                converted[i] = type == TensorType.BF16 ? Elements.ToBFloat16(values[i]) : BitConverter.HalfToUInt16Bits((Half)values[i]);
            writer.Write(MemoryMarshal.AsBytes(converted.AsSpan(0, count)));
            values = values[count..];
        }
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static long Padded(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Pad(BinaryWriter writer)
    {
        writer.Flush();
        for (var missing = Padded(writer.BaseStream.Position) - writer.BaseStream.Position; missing > 0; missing--)
            writer.Write((byte)0);
    }
}
