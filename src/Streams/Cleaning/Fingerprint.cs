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
        for (; index + 8 < text.Length; index += 8)
            state = Round(state, Four(ref bytes, index), Four(ref bytes, index + 4));
        if (text.Length >= 8) // the last eight, some of them a second time
            state = Round(state, Four(ref bytes, text.Length - 8), Four(ref bytes, text.Length - 4));
        else
            state = Round(state, Few(text[..Math.Min(4, text.Length)]), Few(text[Math.Min(4, text.Length)..]));
        return Fold(state ^ Third, length ^ First);
    }

    /// <summary>One fingerprint of a pair.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Combine(ulong first, ulong second) => Fold(first ^ Second, second ^ Third);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Four(ref byte text, nint index) => Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref text, index * sizeof(char)));

    private static ulong Few(ReadOnlySpan<char> units)
    {
        var packed = 0UL;
        foreach (var unit in units)
            packed = packed << 16 | unit;
        return packed;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Round(ulong state, ulong low, ulong high) => Fold(low ^ Second, high ^ state);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Fold(ulong first, ulong second)
    {
        var high = Math.BigMul(first, second, out var low);
        return high ^ low;
    }
}
