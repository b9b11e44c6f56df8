namespace Streaming.Model.Fused.Offload;

/// <summary>
/// Where elements of the flat buffers are for the kernels: parts of them lie in device memory, share a slot of it with others that
/// come and go, or are read in host memory.
/// </summary>
/// <param name="elementBytes">Size of an element.</param>
internal sealed class AddressMap(int elementBytes)
{
    private readonly List<(long Begin, long End, nint Address)> _parts = [];

    public AddressMap Add(long begin, long end, nint address)
    {
        if (end > begin) _parts.Add((begin, end, address));
        return this;
    }

    /// <summary>Layers take turns in two slots.</summary>
    public AddressMap AddTurns(ParameterLayout layout, nint slots)
    {
        for (var i = 0; i < layout.Layers.Length; i++)
        {
            var begin = layout.LayersBegin + i * layout.LayerCount;
            Add(begin, begin + layout.LayerCount, slots + (nint)(i % 2 * layout.LayerCount * elementBytes));
        }
        return this;
    }

    /// <exception cref="InvalidOperationException">Kernels have no access to that element.</exception>
    public nint At(long element)
    {
        foreach (var (begin, end, address) in _parts)
            if (element >= begin && element < end) return address + (nint)((element - begin) * elementBytes);
        throw new InvalidOperationException($"element {element} is not where kernels can reach it");
    }

    /// <summary>Every element has an address.</summary>
    public bool Holds(long begin, long end) => _parts.Any(part => begin >= part.Begin && end <= part.End);
}
