using System.Runtime.CompilerServices;

namespace Streaming.Streams.Compression;

/// <summary>A canonical Huffman code of bzip2: up to 258 symbols of 1 to 20 bits.</summary>
internal sealed class Bzip2CodeTable
{
    public const int LongestCode = 20;
    private const int FastBits = 10;

    private readonly ushort[] _fast = new ushort[1 << FastBits]; // symbol << 5 | length, 0 where the code is longer
    private readonly int[] _limit = new int[LongestCode + 2]; // first code past those of a length, at full width
    private readonly int[] _offset = new int[LongestCode + 2];
    private readonly ushort[] _symbols = new ushort[258];

    /// <summary>Builds the code from the lengths of its symbols.</summary>
    public void Build(ReadOnlySpan<byte> lengths)
    {
        Array.Clear(_fast);
        int code = 0, count = 0;
        for (var length = 1; length <= LongestCode; length++)
        {
            _offset[length] = count - code;
            for (var symbol = 0; symbol < lengths.Length; symbol++)
            {
                if (lengths[symbol] != length)
                    continue;
                if (code >= 1 << length)
                    throw new InvalidDataException("a code table is not valid");
                if (length <= FastBits)
                    _fast.AsSpan(code << (FastBits - length), 1 << (FastBits - length)).Fill((ushort)(symbol << 5 | length));
                _symbols[count++] = (ushort)symbol;
                code++;
            }
            _limit[length] = code << (LongestCode - length);
            code <<= 1;
        }
    }

    /// <summary>The symbol at the start of the bits, shifted left by five, and its length; 0 where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(ulong bits)
    {
        int entry = Unsafe.Add(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_fast), (nint)(bits >> (64 - FastBits)));
        return entry != 0 ? entry : FindLong((int)(bits >> (64 - LongestCode)));
    }

    private int FindLong(int code)
    {
        for (var length = FastBits + 1; length <= LongestCode; length++)
            if (code < _limit[length])
                return _symbols[(code >> (LongestCode - length)) + _offset[length]] << 5 | length;
        return 0;
    }
}
