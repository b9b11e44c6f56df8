using System.Runtime.InteropServices;

namespace Streaming.Streams.Compression;

/// <summary>Bytes outside the managed heap, for windows of many megabytes that would be large garbage once a file. Not thread-safe.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    public NativeBuffer(int length)
    {
        Start = (byte*)NativeMemory.Alloc((nuint)length);
        Length = length;
    }

    ~NativeBuffer() => NativeMemory.Free(Start);

    public byte* Start { get; private set; }

    public int Length { get; private set; }

    /// <summary>A part of the bytes; valid until the next <see cref="Grow"/>.</summary>
    public Span<byte> Span(int start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)start, (uint)Length, nameof(start));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)(Length - start), nameof(length));
        return new Span<byte>(Start + start, length);
    }

    /// <summary>Makes it longer and keeps what it holds.</summary>
    public void Grow(int length)
    {
        Start = (byte*)NativeMemory.Realloc(Start, (nuint)length);
        Length = length;
    }

    public void Dispose()
    {
        NativeMemory.Free(Start);
        Start = null;
        Length = 0;
        GC.SuppressFinalize(this);
    }
}
