using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Streaming.Streams.Compression;

/// <summary>The list of the move-to-front transform: bytes in the order of their last use.</summary>
internal sealed class MoveToFront
{
    private static readonly byte[] Rotations = BuildRotations();

    private readonly byte[] _list = new byte[256];

    private static byte[] BuildRotations()
    {
        var rotations = new byte[16 * 16];
        for (var place = 0; place < 16; place++)
            for (var index = 0; index < 16; index++)
                rotations[place * 16 + index] = (byte)(index == 0 ? place : index <= place ? index - 1 : index);
        return rotations;
    }

    /// <summary>The bytes in their first order.</summary>
    public Span<byte> List => _list;

    public byte Front => _list[0];

    /// <summary>Moves the byte at that place, 0 to 255, to the front.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte Move(int place)
    {
        ref var list = ref _list[0];
        if (place < 16)
        {
            // Most places are near the front: one shuffle moves all sixteen.
            var rotation = Vector128.LoadUnsafe(ref Rotations[0], (nuint)(place * 16));
            var moved = Vector128.Shuffle(Vector128.LoadUnsafe(ref list), rotation);
            moved.StoreUnsafe(ref list);
            return moved.ToScalar();
        }
        var value = _list[place];
        _list.AsSpan(0, place).CopyTo(_list.AsSpan(1));
        list = value;
        return value;
    }
}
