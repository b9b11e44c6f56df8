namespace Streaming.Model.Fused.Offload;

/// <summary>
/// Layers' weights that live in host memory and come to the device when it is their turn, forward and back: two slots, one computed in
/// while the other is filled. The output matrix has a slot of its own. The lane joins the compute lane at the beginning and end of a
/// pass, so that one recording holds it all.
/// </summary>
internal sealed class StreamedWeights : IResidency
{
    private readonly ILanes _lanes;
    private readonly ParameterLayout _layout;
    private readonly IModelWeights _device;
    private readonly Func<long, nint> _home;
    private readonly (Mark Loaded, Mark Left)[] _turns;
    private readonly Mark _begun, _classifierLoaded, _ended;
    private bool _classifierComes;

    /// <param name="lanes">Where copies run.</param>
    /// <param name="layout">Of the model.</param>
    /// <param name="device">The slots, as the kernels find them.</param>
    /// <param name="home">Host address of an element, 2 bytes each.</param>
    public StreamedWeights(ILanes lanes, ParameterLayout layout, IModelWeights device, Func<long, nint> home)
    {
        (_lanes, _layout, _device, _home) = (lanes, layout, device, home);
        _turns = [.. Enumerable.Range(0, 2).Select(_ => (lanes.NewMark(), lanes.NewMark()))];
        (_begun, _classifierLoaded, _ended) = (lanes.NewMark(), lanes.NewMark(), lanes.NewMark());
    }

    public void BeginForward(bool backward)
    {
        _classifierComes = false;
        _lanes.Record(_begun, Lane.Compute);
        _lanes.Wait(_begun, Lane.In);
        for (var layer = 0; layer < Math.Min(2, _layout.Layers.Length); layer++) Load(layer);
    }

    public void EnterForward(int layer) => _lanes.Wait(TurnOf(layer).Loaded, Lane.Compute);

    public void LeaveForward(int layer)
    {
        if (layer + 2 < _layout.Layers.Length) LoadAfter(layer, layer + 2);
        else if (!_classifierComes) LoadClassifier();
    }

    public void EnterClassifier(bool backward) => _lanes.Wait(_classifierLoaded, Lane.Compute);

    public void LeaveClassifier(bool backward) { }

    /// <summary>The last two layers are here still.</summary>
    public void EnterBackward(int layer) => _lanes.Wait(TurnOf(layer).Loaded, Lane.Compute);

    public void LeaveBackward(int layer)
    {
        if (layer >= 2) LoadAfter(layer, layer - 2);
    }

    public void EnterEmbeddingBackward() { }

    public void End()
    {
        _lanes.Record(_ended, Lane.In);
        _lanes.Wait(_ended, Lane.Compute);
    }

    private (Mark Loaded, Mark Left) TurnOf(int layer) => _turns[layer % 2];

    private void LoadAfter(int layer, int next)
    {
        _lanes.Record(TurnOf(layer).Left, Lane.Compute);
        _lanes.Wait(TurnOf(layer).Left, Lane.In);
        Load(next);
    }

    private void Load(int layer)
    {
        var begin = _layout.LayersBegin + layer * _layout.LayerCount;
        Copy(_device.High(begin), _home(begin), _layout.LayerCount);
        _lanes.Record(TurnOf(layer).Loaded, Lane.In);
    }

    private void LoadClassifier()
    {
        _classifierComes = true;
        Copy(_device.ClassifierHigh, _home(_layout.Classifier), _layout.ClassifierCount);
        _lanes.Record(_classifierLoaded, Lane.In);
    }

    private void Copy(nint target, nint source, long count)
    {
        _lanes.Begin(Lane.In);
        _lanes.CopyIn(target, source, count * sizeof(ushort));
        _lanes.End(Lane.In, "weights in");
    }
}
