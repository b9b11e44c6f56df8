namespace Streaming.Model.Fused.Offload;

/// <summary>
/// What a layer keeps for its backward pass, in host memory meanwhile: it goes out while later layers are computed and comes back while
/// later layers are computed back. Layers take turns in a few slots of the arena, and those that are computed last stay there.
/// </summary>
internal sealed class StreamedActivations : IResidency
{
    /// <summary>Slots: one computed in, the next one's input, one on its way.</summary>
    public const int Slots = 3;

    private readonly IResidency _inner;
    private readonly ILanes _lanes;
    private readonly nint _arena, _host;
    private readonly ActivationPlan _plan;
    private readonly int _layers;
    private readonly Slot[] _slots;
    private readonly Mark _begun, _ended;
    private bool _trains;

    private sealed record Slot(Mark Computed, Mark Home, Mark Free, Mark Loaded);

    /// <param name="inner">What else comes and goes.</param>
    /// <param name="lanes">The lanes.</param>
    /// <param name="plan">Where the slots are in the arena.</param>
    /// <param name="arena">Its device address.</param>
    /// <param name="host">Page-locked memory of <see cref="HostBytes"/>.</param>
    /// <param name="layers">Of the model.</param>
    public StreamedActivations(IResidency inner, ILanes lanes, ActivationPlan plan, nint arena, nint host, int layers)
    {
        (_inner, _lanes, _plan, _arena, _host, _layers) = (inner, lanes, plan, arena, host, layers);
        _slots = [.. Enumerable.Range(0, Slots).Select(_ => new Slot(lanes.NewMark(), lanes.NewMark(), lanes.NewMark(), lanes.NewMark()))];
        (_begun, _ended) = (lanes.NewMark(), lanes.NewMark());
    }

    /// <summary>Host memory for the layers that do not stay.</summary>
    public static long HostBytes(ActivationPlan plan, int layers) => Math.Max(0, layers - Slots) * 2 * plan.KeptBytes;

    public void BeginForward(bool backward)
    {
        _inner.BeginForward(backward);
        _trains = backward;
        if (!backward) return;
        _lanes.Record(_begun, Lane.Compute);
        _lanes.Wait(_begun, Lane.In);
        _lanes.Wait(_begun, Lane.Out);
    }

    public void EnterForward(int layer)
    {
        _inner.EnterForward(layer);
        // A layer's result is the next one's input.
        if (_trains && layer + 1 >= Slots && Travels(layer + 1 - Slots)) _lanes.Wait(SlotOf(layer + 1).Home, Lane.Compute);
    }

    public void LeaveForward(int layer)
    {
        _inner.LeaveForward(layer);
        if (!_trains || !Travels(layer)) return;
        var slot = SlotOf(layer);
        _lanes.Record(slot.Computed, Lane.Compute);
        _lanes.Wait(slot.Computed, Lane.Out);
        _lanes.Begin(Lane.Out);
        foreach (var (device, host) in Places(layer)) _lanes.CopyOut(host, device, _plan.KeptBytes);
        _lanes.End(Lane.Out, "activations out");
        _lanes.Record(slot.Home, Lane.Out);
    }

    public void EnterClassifier(bool backward) => _inner.EnterClassifier(backward);

    public void LeaveClassifier(bool backward) => _inner.LeaveClassifier(backward);

    public void EnterBackward(int layer)
    {
        _inner.EnterBackward(layer);
        if (Travels(layer)) _lanes.Wait(SlotOf(layer).Loaded, Lane.Compute);
    }

    public void LeaveBackward(int layer)
    {
        _inner.LeaveBackward(layer);
        if (layer < Slots) return;
        var slot = SlotOf(layer);
        _lanes.Record(slot.Free, Lane.Compute);
        _lanes.Wait(slot.Free, Lane.In);
        _lanes.Wait(slot.Home, Lane.In); // the last of the slot to go home: those before it went earlier
        _lanes.Begin(Lane.In);
        foreach (var (device, host) in Places(layer - Slots)) _lanes.CopyIn(device, host, _plan.KeptBytes);
        _lanes.End(Lane.In, "activations in");
        _lanes.Record(slot.Loaded, Lane.In);
    }

    public void EnterEmbeddingBackward() => _inner.EnterEmbeddingBackward();

    public void End()
    {
        _inner.End();
        if (!_trains) return;
        foreach (var lane in new[] { Lane.In, Lane.Out })
        {
            _lanes.Record(_ended, lane);
            _lanes.Wait(_ended, Lane.Compute);
        }
    }

    private bool Travels(int layer) => layer < _layers - Slots;

    private Slot SlotOf(int layer) => _slots[layer % Slots];

    private (nint Device, nint Host)[] Places(int layer)
    {
        var host = _host + (nint)(2 * layer * _plan.KeptBytes);
        return [(_arena + (nint)_plan.Residual[layer], host), (_arena + (nint)_plan.Middle[layer], host + (nint)_plan.KeptBytes)];
    }
}
