using System.Buffers.Binary;

namespace Streaming.Streams.Compression;

/// <summary>
/// Cyclic redundancy checks in reflected form with all ones before and after, eight bytes a round
/// (Kounavis and Berry, "Novel table lookup-based algorithms for high-performance CRC generation", 2008).
/// A check starts at 0 and is carried from one piece of data to the next.
/// </summary>
internal sealed class ReflectedCrc
{
    /// <summary>CRC-32 of gzip and xz.</summary>
    public static ReflectedCrc Crc32 { get; } = new(0xEDB88320, uint.MaxValue);

    /// <summary>CRC-64 of xz (ECMA-182).</summary>
    public static ReflectedCrc Crc64 { get; } = new(0xC96C5795D7870F42, ulong.MaxValue);

    private readonly ulong[] _table = new ulong[8 * 256];
    private readonly ulong _ones;

    private ReflectedCrc(ulong polynomial, ulong ones)
    {
        _ones = ones;
        for (var value = 0; value < 256; value++)
        {
            var remainder = (ulong)value;
            for (var bit = 0; bit < 8; bit++)
                remainder = (remainder >> 1) ^ ((remainder & 1) * polynomial);
            _table[value] = remainder;
        }
        for (var index = 256; index < _table.Length; index++)
        {
            var shorter = _table[index - 256];
            _table[index] = (shorter >> 8) ^ _table[shorter & 0xFF];
        }
    }

    /// <summary>The check of everything so far and <paramref name="data"/>.</summary>
    public ulong Append(ulong check, ReadOnlySpan<byte> data)
    {
        var table = _table.AsSpan(0, 8 * 256);
        check ^= _ones;
        for (; data.Length >= 8; data = data[8..])
        {
            var eight = check ^ BinaryPrimitives.ReadUInt64LittleEndian(data);
            check = table[(int)(eight & 0xFF) + 1792] ^ table[(int)((eight >> 8) & 0xFF) + 1536]
                ^ table[(int)((eight >> 16) & 0xFF) + 1280] ^ table[(int)((eight >> 24) & 0xFF) + 1024]
                ^ table[(int)((eight >> 32) & 0xFF) + 768] ^ table[(int)((eight >> 40) & 0xFF) + 512]
                ^ table[(int)((eight >> 48) & 0xFF) + 256] ^ table[(int)(eight >> 56)];
        }
        foreach (var value in data)
            check = (check >> 8) ^ table[(int)((check ^ value) & 0xFF)];
        return check ^ _ones;
    }
}
