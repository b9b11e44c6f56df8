using System.Runtime.InteropServices;

namespace Streaming.Model.Generation.Host;

// Shapes: L layers, K key-value heads, C context length, H head width.

/// <summary>
/// What the slots remember, in float32. A slot's memory is asked for when it is first used, and the system hands out its
/// pages as they fill. A copy moves only what two slots do not already share: each entry has a serial number, and equal
/// numbers mean equal contents.
/// </summary>
internal sealed unsafe class KeyValueCache(MistralConfig model, int slots, int contextLength) : IDisposable
{
    private readonly Slot[] _slots = new Slot[slots];
    private long _serial;

    private long HeadElements => (long)contextLength * model.HeadSize;

    /// <summary>Keys of a head, (C, H).</summary>
    public float* Keys(int slot, int layer, int head) =>
        (float*)_slots[slot].Memory + (2L * layer * model.KeyValueHeadCount + head) * HeadElements;

    /// <summary>Values of a head, (C, H).</summary>
    public float* Values(int slot, int layer, int head) =>
        (float*)_slots[slot].Memory + ((2L * layer + 1) * model.KeyValueHeadCount + head) * HeadElements;

    public int Length(int slot) => _slots[slot].Length;

    public void Truncate(int slot, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)_slots[slot].Length, nameof(length));
        _slots[slot].Length = length;
    }

    /// <summary>Takes the places of new tokens, whose keys and values the caller then fills in.</summary>
    public void Extend(int slot, int count)
    {
        ref var state = ref Reserve(slot);
        for (var i = 0; i < count; i++)
            state.Serials[state.Length++] = ++_serial;
    }

    public void Copy(int from, int to)
    {
        if (from == to)
            return;
        ref var source = ref _slots[from];
        ref var target = ref _slots[to];
        if (source.Length > 0)
            target = ref Reserve(to);
        var shared = Math.Min(source.Length, target.Length);
        while (shared > 0 && source.Serials[shared - 1] != target.Serials[shared - 1])
            shared--;
        target.Length = source.Length;
        if (shared == source.Length)
            return;
        source.Serials.AsSpan(shared..source.Length).CopyTo(target.Serials.AsSpan(shared));
        var (first, bytes) = ((long)shared * model.HeadSize, (long)(source.Length - shared) * model.HeadSize * sizeof(float));
        for (var head = 0; head < 2 * model.LayerCount * model.KeyValueHeadCount; head++)
            Buffer.MemoryCopy((float*)source.Memory + head * HeadElements + first, (float*)target.Memory + head * HeadElements + first, bytes, bytes);
    }

    private ref Slot Reserve(int slot)
    {
        ref var state = ref _slots[slot];
        if (state.Memory == 0)
        {
            state.Memory = (nint)NativeMemory.AlignedAlloc((nuint)(2L * model.LayerCount * model.KeyValueHeadCount * HeadElements * sizeof(float)), 64);
            state.Serials = new long[contextLength];
        }
        return ref state;
    }

    public void Dispose()
    {
        foreach (ref var slot in _slots.AsSpan())
        {
            NativeMemory.AlignedFree((void*)slot.Memory);
            slot = default;
        }
    }

    private struct Slot
    {
        public nint Memory; // (L, keys and values, K, C, H)
        public long[] Serials; // (C)
        public int Length;
    }
}
