using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Streaming.Streams.Compression;

/// <summary>Bits of a piece of an archive, the highest of a byte first. Past its end there are zeros, which <see cref="IsPastEnd"/> tells.</summary>
internal unsafe struct Bzip2BitReader
{
    private readonly byte* _start;
    private readonly byte* _end;
    private byte* _next;
    private ulong _bits; // the next bit is the highest
    private int _count;
    private int _zeros;

    /// <param name="start">The piece; must not move.</param>
    /// <param name="length">Bytes of it.</param>
    /// <param name="bit">The first bit to read.</param>
    public Bzip2BitReader(byte* start, int length, long bit)
    {
        _start = start;
        _end = start + length;
        _next = start + bit / 8;
        Refill();
        Drop((int)(bit % 8));
    }

    /// <summary>Bits of the piece before the next one.</summary>
    public readonly long Position => (_next - _start + _zeros) * 8L - _count;

    public readonly bool IsPastEnd => Position > (_end - _start) * 8L;

    /// <summary>Whether <see cref="RefillFast"/> may be called that many times with no bit more than 56 taken between two calls.</summary>
    public readonly bool HasRoomFor(int refills) => _end - _next > refills * 7L + 8;

    /// <summary>The next bits, the first the highest; at least 56 after a refill.</summary>
    public readonly ulong Bits => _bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Drop(int count)
    {
        _bits <<= count;
        _count -= count;
    }

    /// <summary>The next <paramref name="count"/> bits, 1 to 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Take(int count)
    {
        if (_count < count)
            Refill();
        var value = (uint)(_bits >> (64 - count));
        Drop(count);
        return value;
    }

    /// <summary>Makes at least 56 bits available; there must be <see cref="HasRoomFor">room</see>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void RefillFast()
    {
        _bits |= BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ulong>(_next)) >> _count;
        _next += (63 - _count) >> 3;
        _count |= 56;
    }

    /// <summary>Makes at least 56 bits available, with zeros for what lies past the end.</summary>
    public void Refill()
    {
        if (_end - _next >= 8)
        {
            RefillFast();
            return;
        }
        // The bits below the counted ones may hold what was read before.
        _bits = _count == 0 ? 0 : _bits & (ulong.MaxValue << (64 - _count));
        for (; _count <= 56; _count += 8)
        {
            if (_next < _end)
                _bits |= (ulong)*_next++ << (56 - _count);
            else
                _zeros++;
        }
    }
}
