using System.Buffers.Binary;

namespace Streaming.Streams.Compression;

/// <summary>The check of bzip2: CRC-32 with the highest bit first, four bytes a round.</summary>
internal static class Bzip2Check
{
    private static readonly uint[] Table = Build();

    private static uint[] Build()
    {
        var table = new uint[4 * 256];
        for (uint value = 0; value < 256; value++)
        {
            var remainder = value << 24;
            for (var bit = 0; bit < 8; bit++)
                remainder = (remainder << 1) ^ ((remainder >> 31) * 0x04C11DB7);
            table[value] = remainder;
        }
        for (var index = 256; index < table.Length; index++)
            table[index] = (table[index - 256] << 8) ^ table[table[index - 256] >> 24];
        return table;
    }

    /// <summary>Carries a check, without the final inversion, over <paramref name="data"/>.</summary>
    public static uint Append(uint check, ReadOnlySpan<byte> data)
    {
        var table = Table;
        for (; data.Length >= 4; data = data[4..])
        {
            check ^= BinaryPrimitives.ReadUInt32BigEndian(data);
            check = table[768 + (check >> 24)] ^ table[512 + ((check >> 16) & 0xFF)]
                ^ table[256 + ((check >> 8) & 0xFF)] ^ table[check & 0xFF];
        }
        foreach (var value in data)
            check = (check << 8) ^ table[(check >> 24) ^ value];
        return check;
    }
}
