using Streaming.Model.Engines;
using Streaming.Model.Optimizers;

namespace Streaming.Model.Fused.Offload;

/// <summary>A piece of the offloaded state, as it travels: elements of one range of the moments.</summary>
/// <param name="Range">The range.</param>
/// <param name="Begin">First element in the flat buffers.</param>
/// <param name="Count">How many.</param>
internal sealed record StateChunk(MomentRange Range, long Begin, long Count)
{
    public long End => Begin + Count;
}

/// <summary>One part of a piece: where it is at home, where on the device for the update, and which ways it goes.</summary>
internal readonly record struct Trip(nint Host, nint Device, long Bytes, bool In, bool Out);

/// <summary>
/// Cuts the state into pieces that fit into a slot of device memory, in the order of updates: norms first, which every layer needs, then
/// as the next forward pass comes by.
/// </summary>
internal sealed class StateChunks
{
    private const long Alignment = 256, MostParts = 7;

    private readonly FlatBuffers _buffers;
    private readonly ParameterLayout _layout;
    private readonly HostState _host;

    /// <param name="buffers">What is cut.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="slotBytes">Room for one piece.</param>
    public StateChunks(FlatBuffers buffers, ParameterLayout layout, long slotBytes)
    {
        (_buffers, _layout, _host) = (buffers, layout, buffers.Host!);
        var chunks = new List<StateChunk>();
        foreach (var range in buffers.Moments.Plan.Ranges)
        {
            var room = slotBytes - MostParts * Alignment;
            var most = Math.Max(1, (long)(room / StagedBytes(range.Rule)) / BlockQuantization.BlockLength) * BlockQuantization.BlockLength;
            long[] cuts = [range.Begin, .. new[] { layout.LayersBegin, layout.Norms }.Where(cut => cut > range.Begin && cut < range.End), range.End];
            foreach (var (begin, end) in cuts.Zip(cuts[1..]))
                for (var start = begin; start < end; start += most) chunks.Add(new(range, start, Math.Min(most, end - start)));
        }
        Items = [.. chunks.Where(IsNorm), .. chunks.Where(chunk => !IsNorm(chunk))];
        SlotBytes = Items.Max(chunk => Place(chunk, 0).Bytes);
        if (SlotBytes > slotBytes) throw new ArgumentOutOfRangeException(nameof(slotBytes), slotBytes, $"a piece needs {SlotBytes} bytes");
    }

    public IReadOnlyList<StateChunk> Items { get; }

    /// <summary>Room that the largest piece takes; a piece has a block of moments at least.</summary>
    public long SlotBytes { get; }

    private bool CarriesWeights => _host.Level == OffloadLevel.Parameters;

    /// <summary>The trips of a piece through a slot, what the kernels get, and the room that it takes.</summary>
    public (IReadOnlyList<Trip> Trips, StateAddresses Addresses, long Bytes) Place(StateChunk chunk, nint slot)
    {
        var trips = new List<Trip>();
        var used = 0L;
        var (begin, count) = (chunk.Begin, chunk.Count);
        nint high, low, gradient;
        if (CarriesWeights && !IsNorm(chunk))
        {
            high = Carried(_host.High(begin), count * sizeof(ushort));
            low = Carried(_host.Low(begin), count * _buffers.LowBytes);
            // The update clears it. That goes home where the host's copy is added to; the layers' begins from zero on the device.
            gradient = Carried(_host.Gradient(begin), count * sizeof(float), goesOut: begin < _layout.LayersBegin);
        }
        else
        {
            high = Kept(_buffers.High(begin), _host.High(begin), count * sizeof(ushort));
            low = _buffers.HoldsLow(begin, chunk.End)
                ? Kept(_buffers.Low(begin), _host.Low(begin), count * _buffers.LowBytes)
                : Carried(_host.Low(begin), count * _buffers.LowBytes);
            gradient = _buffers.Gradient(begin);
        }
        var moments = new nint[4];
        var parts = chunk.Range.Parts(begin, count);
        for (var i = 0; i < parts.Length; i++)
            if (parts[i].Bytes > 0) moments[i] = Carried(_buffers.Moments.Base + (nint)parts[i].Offset, parts[i].Bytes);
        return (trips, new(high, low, gradient, moments[0], moments[1], moments[2], moments[3]), used);

        nint Carried(nint home, long bytes, bool goesOut = true)
        {
            var place = slot + (nint)used;
            used += (bytes + Alignment - 1) / Alignment * Alignment;
            trips.Add(new(home, place, bytes, In: true, goesOut));
            return place;
        }

        // On the device all the time; the host has a copy.
        nint Kept(nint place, nint home, long bytes)
        {
            trips.Add(new(home, place, bytes, In: false, Out: true));
            return place;
        }
    }

    private bool IsNorm(StateChunk chunk) => chunk.Begin >= _layout.Norms;

    // Of one element, without rounding up.
    private double StagedBytes(UpdateRule rule) =>
        _buffers.LowBytes + (CarriesWeights ? sizeof(ushort) + sizeof(float) : 0)
        + (rule == UpdateRule.AdamW8Bit ? 2 + 2.0 * sizeof(float) / BlockQuantization.BlockLength : 2 * sizeof(float));
}
