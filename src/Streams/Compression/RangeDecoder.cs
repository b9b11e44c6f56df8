using System.Runtime.CompilerServices;

namespace Streaming.Streams.Compression;

/// <summary>The adaptive binary range decoder of LZMA. Everything is inlined so that it lives in registers.</summary>
internal unsafe struct RangeDecoder
{
    private const int ProbabilityBits = 11, AdaptationShift = 5;

    /// <summary>The next compressed byte. The caller bounds it: a bit takes one byte at most.</summary>
    public byte* Next;

    public uint Code;
    private uint _range;

    /// <param name="input">Five bytes of preamble, of which the first is zero, then the data.</param>
    public RangeDecoder(byte* input)
    {
        _range = uint.MaxValue;
        Code = (uint)(input[1] << 24 | input[2] << 16 | input[3] << 8 | input[4]);
        Next = input + 5;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Normalize()
    {
        if (_range >= 1u << 24)
            return;
        _range <<= 8;
        Code = (Code << 8) | *Next++;
    }

    /// <summary>One bit, whose probability of being zero adapts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Bit(ushort* probability)
    {
        Normalize();
        uint value = *probability;
        var bound = (_range >> ProbabilityBits) * value;
        if (Code < bound)
        {
            _range = bound;
            *probability = (ushort)(value + (((1u << ProbabilityBits) - value) >> AdaptationShift));
            return 0;
        }
        _range -= bound;
        Code -= bound;
        *probability = (ushort)(value - (value >> AdaptationShift));
        return 1;
    }

    /// <summary>A number of <paramref name="bits"/> bits, highest first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Tree(ushort* tree, int bits)
    {
        uint symbol = 1;
        for (var bit = 0; bit < bits; bit++)
            symbol = (symbol << 1) | Bit(tree + symbol);
        return symbol - (1u << bits);
    }

    /// <summary>A number of <paramref name="bits"/> bits, lowest first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint ReverseTree(ushort* tree, int bits)
    {
        uint symbol = 1, value = 0;
        for (var index = 0; index < bits; index++)
        {
            var bit = Bit(tree + symbol);
            symbol = (symbol << 1) | bit;
            value |= bit << index;
        }
        return value;
    }

    /// <summary>A number of <paramref name="bits"/> bits, highest first, each as likely zero as one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Direct(int bits)
    {
        uint value = 0;
        while (bits-- > 0)
        {
            Normalize();
            _range >>= 1;
            var bit = Code >= _range ? 1u : 0;
            Code -= _range & (0 - bit);
            value = (value << 1) | bit;
        }
        return value;
    }
}
