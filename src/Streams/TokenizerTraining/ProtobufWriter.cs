using System.Buffers.Binary;
using System.Text;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>Writes the fields of one protobuf message (https://protobuf.dev/programming-guides/encoding).</summary>
internal sealed class ProtobufWriter
{
    private enum WireType { Varint = 0, Bytes = 2, Fixed32 = 5 }

    private readonly MemoryStream _message = new();

    public byte[] ToArray() => _message.ToArray();

    public void Write(int field, long value)
    {
        WriteTag(field, WireType.Varint);
        WriteVarint((ulong)value);
    }

    public void Write(int field, bool value) => Write(field, value ? 1 : 0);

    public void Write(int field, float value)
    {
        WriteTag(field, WireType.Fixed32);
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        _message.Write(bytes);
    }

    public void Write(int field, string text) => Write(field, Encoding.UTF8.GetBytes(text));

    public void Write(int field, ProtobufWriter message) => Write(field, message.ToArray());

    public void Write(int field, byte[] bytes)
    {
        WriteTag(field, WireType.Bytes);
        WriteVarint((ulong)bytes.Length);
        _message.Write(bytes);
    }

    private void WriteTag(int field, WireType type) => WriteVarint(((ulong)field << 3) | (uint)type);

    private void WriteVarint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            _message.WriteByte((byte)(value | 0x80));
        _message.WriteByte((byte)value);
    }
}
