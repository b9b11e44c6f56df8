namespace Streaming.Streams.Compression;

/// <summary>Reads the fields of a block header or an index, and keeps their length and their check.</summary>
/// <param name="input">Where the fields are read.</param>
/// <param name="taken">What has been read of them already.</param>
internal ref struct XzFieldReader(InputBuffer input, ReadOnlySpan<byte> taken)
{
    private ulong _check = ReflectedCrc.Crc32.Append(0, taken);

    public long BytesTaken { get; private set; } = taken.Length;

    public byte Next()
    {
        var value = input.Next();
        _check = ReflectedCrc.Crc32.Append(_check, [value]);
        BytesTaken++;
        return value;
    }

    /// <summary>A number in seven bits a byte, the lowest first.</summary>
    public ulong Number()
    {
        ulong number = 0;
        for (var shift = 0; shift < 63; shift += 7)
        {
            var value = Next();
            number |= (ulong)(value & 0x7F) << shift;
            if (value == 0 && shift > 0)
                break;
            if (value < 0x80)
                return number;
        }
        throw new InvalidDataException("a number in an xz header is not valid");
    }

    /// <summary>Zeros up to a multiple of four bytes.</summary>
    public void ExpectPadding()
    {
        while (BytesTaken % 4 != 0)
            if (Next() != 0)
                throw new InvalidDataException("the padding in an xz header is not valid");
    }

    /// <summary>The check of all fields.</summary>
    public readonly void ExpectCheck()
    {
        var check = (uint)_check;
        for (var shift = 0; shift < 32; shift += 8)
            if (input.Next() != (byte)(check >> shift))
                throw new InvalidDataException("the check of an xz header is wrong");
    }
}
