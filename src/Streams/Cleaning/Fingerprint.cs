using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// 64-bit fingerprints of text: four UTF-16 units a round of multiplication and folding of the 128-bit product, as in wyhash.
/// Not for secrets. The same on every machine, since fingerprints are stored; two different texts agree with 2^-64.
/// </summary>
internal static class Fingerprint
{
    private const ulong First = 0xA0761D6478BD642F;
    private const ulong Second = 0xE7037ED1A0B428DB;
    private const ulong Third = 0x8EBC6AF09C88C6E3;

    public static ulong OfText(ReadOnlySpan<char> text, ulong seed = 0)
    {
        var length = (ulong)text.Length;
        ref var bytes = ref Unsafe.As<char, byte>(ref MemoryMarshal.GetReference(text));
        var state = seed ^ First;
        nint index = 0;
        for (; index + 8 <= text.Length; index += 8)
        {
            var low = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref bytes, index * sizeof(char)));
            var high = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref bytes, (index + 4) * sizeof(char)));
            state = Fold(low ^ Second, high ^ state);
        }
        var (lowRest, highRest) = (0UL, 0UL);
        for (var (rest, shift) = (index, 0); rest < text.Length; rest++, shift += 16)
        {
            var unit = (ulong)Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref bytes, rest * sizeof(char)));
            if (shift < 64)
                lowRest |= unit << shift;
            else
                highRest |= unit << (shift - 64);
        }
        state = Fold(lowRest ^ Second, highRest ^ state);
        return Fold(state ^ Third, length ^ First);
    }

    /// <summary>One fingerprint of a pair.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Combine(ulong first, ulong second) => Fold(first ^ Second, second ^ Third);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Fold(ulong first, ulong second)
    {
        var high = Math.BigMul(first, second, out var low);
        return high ^ low;
    }
}
