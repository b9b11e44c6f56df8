using System.Numerics;
using System.Runtime.InteropServices;

namespace Streaming.Model.Fused;

/// <summary>
/// A float32 master weight as two halves: bf16 (nearest, ties away from zero) that the products read, and the rest in float32 units in
/// the last place. Exact both ways; the kernels' <c>split_master</c> and <c>join_master</c> are the same.
/// </summary>
public static class MasterWeight
{
    public static (ushort High, short Low) Split(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        var high = (ushort)((bits + 0x8000u) >> 16);
        return (high, (short)(bits - ((uint)high << 16)));
    }

    /// <summary>Splits many; the spans are of one length.</summary>
    public static void Split(ReadOnlySpan<float> values, Span<ushort> high, Span<short> low)
    {
        var bits = MemoryMarshal.Cast<float, uint>(values);
        var half = new Vector<uint>(0x8000u);
        var step = Vector<uint>.Count;
        var done = 0;
        for (; done + 2 * step <= bits.Length; done += 2 * step)
        {
            Vector<uint> first = new(bits[done..]), second = new(bits[(done + step)..]);
            // The lower half is the value's own lower 16 bits, read as signed.
            Vector.Narrow((first + half) >>> 16, (second + half) >>> 16).CopyTo(high[done..]);
            Vector.Narrow(first & new Vector<uint>(0xffffu), second & new Vector<uint>(0xffffu)).CopyTo(MemoryMarshal.Cast<short, ushort>(low)[done..]);
        }
        for (; done < bits.Length; done++) (high[done], low[done]) = Split(values[done]);
    }

    public static float Join(ushort high, short low) => BitConverter.UInt32BitsToSingle(((uint)high << 16) + (uint)low);
}
