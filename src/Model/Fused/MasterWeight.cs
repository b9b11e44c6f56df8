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

    public static float Join(ushort high, short low) => BitConverter.UInt32BitsToSingle(((uint)high << 16) + (uint)low);
}
