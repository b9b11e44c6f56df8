using System.Buffers;
using System.Text;

namespace Streaming.Hosting.Text;

/// <summary>Collects UTF-8 and writes it in large pieces. A lone surrogate becomes U+FFFD. Not thread-safe.</summary>
internal sealed class LineWriter(Stream output) : IBufferWriter<byte>
{
    private const int Enough = 1 << 16; // bytes

    private readonly ArrayBufferWriter<byte> _buffer = new(2 * Enough);

    public void Write(ReadOnlySpan<char> text) => Encoding.UTF8.GetBytes(text, this);

    public void Write(int number)
    {
        if (!number.TryFormat(_buffer.GetSpan(11), out var length))
            throw new InvalidOperationException("a 32-bit number has 11 characters at most");
        _buffer.Advance(length);
    }

    public void Write(byte ascii)
    {
        _buffer.GetSpan(1)[0] = ascii;
        _buffer.Advance(1);
    }

    /// <summary>Ends a line; writes once enough is collected.</summary>
    public void EndLine()
    {
        Write((byte)'\n');
        if (_buffer.WrittenCount >= Enough)
            Flush();
    }

    public void Flush()
    {
        output.Write(_buffer.WrittenSpan);
        _buffer.ResetWrittenCount();
    }

    void IBufferWriter<byte>.Advance(int count) => _buffer.Advance(count);

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint) => _buffer.GetMemory(sizeHint);

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint) => _buffer.GetSpan(sizeHint);
}
