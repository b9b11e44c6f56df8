namespace Streaming.Streams.Compression;

/// <summary>Bits of a byte stream, the highest of a byte first. Past the end it is an <see cref="EndOfStreamException"/>.</summary>
internal struct Bzip2BitReader(InputBuffer input)
{
    private ulong _bits; // the next bit is the highest
    private int _count;

    /// <summary>The next <paramref name="count"/> bits, 1 to 32.</summary>
    public uint Take(int count)
    {
        while (_count < count)
        {
            _bits |= (ulong)input.Next() << (56 - _count);
            _count += 8;
        }
        var value = (uint)(_bits >> (64 - count));
        Drop(count);
        return value;
    }

    /// <summary>
    /// The next <paramref name="count"/> bits, at most 32, without taking them; zeros stand for what lies past the end.
    /// </summary>
    public uint Peek(int count)
    {
        while (_count < count && input.Fill())
        {
            while (_count <= 56 && input.Start < input.End)
            {
                _bits |= (ulong)input.Storage[input.Start] << (56 - _count);
                _count += 8;
                input.Take(1);
            }
        }
        return (uint)(_bits >> (64 - count));
    }

    /// <summary>Takes bits that were peeked.</summary>
    public void Drop(int count)
    {
        if (count > _count)
            throw new EndOfStreamException();
        _bits <<= count;
        _count -= count;
    }

    /// <summary>Drops what is left of the current byte.</summary>
    public void AlignToByte() => Drop(_count % 8);

    /// <summary>Whether no byte is left; only asked where a byte begins.</summary>
    public readonly bool AtEnd => _count == 0 && !input.Fill();
}
