using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused.Offload;

/// <summary>
/// Layers whose weights and gradients live in host memory. Weights come as <see cref="StreamedWeights"/>; on the way back gradients go
/// through two slots likewise: the sum so far comes in, the layer adds to it, it goes home. The output matrix's has a slot of its own.
/// Lanes join the compute lane at the beginning and end of a pass, so that one recording holds it all.
/// </summary>
internal sealed class StreamedLayers : IResidency
{
    /// <summary>Partial sums of squares of a layer's gradient.</summary>
    public const int SumsEach = 128;

    private const int SumsBlock = 512;

    private readonly ILanes _lanes;
    private readonly FlatBuffers _buffers;
    private readonly ParameterLayout _layout;
    private readonly HostState _host;
    private readonly StreamedWeights _weights;
    private readonly Turn[] _turns;
    private readonly Mark _begun, _classifierLoaded, _classifierLeft, _classifierHome, _ended;

    // A slot that layers' gradients take turns in.
    private sealed record Turn(Mark Loaded, Mark Left, Mark Home);

    public StreamedLayers(ILanes lanes, FlatBuffers buffers, ParameterLayout layout)
    {
        (_lanes, _buffers, _layout, _host) = (lanes, buffers, layout, buffers.Host!);
        _weights = new StreamedWeights(lanes, layout, buffers, _host.High);
        _turns = [.. Enumerable.Range(0, 2).Select(_ => new Turn(lanes.NewMark(), lanes.NewMark(), lanes.NewMark()))];
        (_begun, _classifierLoaded, _classifierLeft, _classifierHome, _ended) = (lanes.NewMark(), lanes.NewMark(), lanes.NewMark(), lanes.NewMark(), lanes.NewMark());
    }

    /// <summary>Gradients are added to what is in host memory; the first micro-batch of a step begins from zero instead.</summary>
    public bool Adds { get; set; }

    /// <summary>Sums of squares for so many layers, the output matrix, the embedding and the norms.</summary>
    public static int SumsFor(int layers) => (layers + 3) * SumsEach;

    /// <summary>Queues the sums of squares that passes do not make: of the embedding, which every micro-batch adds to, and of the norms.</summary>
    public void QueueOtherSums()
    {
        QueueSums(_layout.Layers.Length + 1, _buffers.Gradient(_layout.Embedding), _layout.LayersBegin);
        QueueSums(_layout.Layers.Length + 2, _buffers.Gradient(_layout.Norms), _layout.Count - _layout.Norms);
    }

    public void BeginForward(bool backward)
    {
        _lanes.Record(_begun, Lane.Compute);
        _lanes.Wait(_begun, Lane.Out);
        _weights.BeginForward(backward);
    }

    public void EnterForward(int layer) => _weights.EnterForward(layer);

    public void LeaveForward(int layer) => _weights.LeaveForward(layer);

    public void EnterClassifier(bool backward)
    {
        _weights.EnterClassifier(backward);
        if (!backward) return;
        if (!Adds)
        {
            _lanes.Clear(Lane.Compute, _buffers.ClassifierGradient, _layout.ClassifierCount * sizeof(float));
            return;
        }
        _lanes.Begin(Lane.In);
        _lanes.CopyIn(_buffers.ClassifierGradient, _host.Gradient(_layout.Classifier), _layout.ClassifierCount * sizeof(float));
        _lanes.End(Lane.In, "gradient in");
        _lanes.Record(_classifierLoaded, Lane.In);
        _lanes.Wait(_classifierLoaded, Lane.Compute);
        // The last two layers' weights are here still; their gradients come while the classifier is computed.
        for (var layer = _layout.Layers.Length - 1; layer >= Math.Max(0, _layout.Layers.Length - 2); layer--) LoadGradient(layer);
    }

    public void LeaveClassifier(bool backward)
    {
        if (!backward) return;
        // Where it is the embedding's as well, the sum is not whole yet.
        if (_layout.Classifier != _layout.Embedding) QueueSums(_layout.Layers.Length, _buffers.ClassifierGradient, _layout.ClassifierCount);
        _lanes.Record(_classifierLeft, Lane.Compute);
        _lanes.Wait(_classifierLeft, Lane.Out);
        _lanes.Begin(Lane.Out);
        _lanes.CopyOut(_host.Gradient(_layout.Classifier), _buffers.ClassifierGradient, _layout.ClassifierCount * sizeof(float));
        _lanes.End(Lane.Out, "gradient out");
        _lanes.Record(_classifierHome, Lane.Out);
    }

    public void EnterBackward(int layer)
    {
        _weights.EnterBackward(layer);
        if (Adds)
        {
            _lanes.Wait(TurnOf(layer).Loaded, Lane.Compute);
            return;
        }
        if (layer + 2 < _layout.Layers.Length) _lanes.Wait(TurnOf(layer).Home, Lane.Compute);
        _lanes.Clear(Lane.Compute, _buffers.Gradient(Begin(layer)), _layout.LayerCount * sizeof(float));
    }

    public void LeaveBackward(int layer)
    {
        var turn = TurnOf(layer);
        QueueSums(layer, _buffers.Gradient(Begin(layer)), _layout.LayerCount);
        _lanes.Record(turn.Left, Lane.Compute);
        _lanes.Wait(turn.Left, Lane.Out);
        _lanes.Begin(Lane.Out);
        _lanes.CopyOut(_host.Gradient(Begin(layer)), _buffers.Gradient(Begin(layer)), _layout.LayerCount * sizeof(float));
        _lanes.End(Lane.Out, "gradient out");
        _lanes.Record(turn.Home, Lane.Out);
        _weights.LeaveBackward(layer); // and with its copies the gradient's wait for the compute lane
        if (layer < 2 || !Adds) return;
        _lanes.Wait(turn.Home, Lane.In);
        LoadGradient(layer - 2);
    }

    public void EnterEmbeddingBackward()
    {
        if (_layout.Classifier == _layout.Embedding) _lanes.Wait(_classifierHome, Lane.Compute);
    }

    public void End()
    {
        _weights.End();
        _lanes.Record(_ended, Lane.Out);
        _lanes.Wait(_ended, Lane.Compute);
    }

    private Turn TurnOf(int layer) => _turns[layer % 2];

    private long Begin(int layer) => _layout.LayersBegin + layer * _layout.LayerCount;

    private void LoadGradient(int layer)
    {
        _lanes.Begin(Lane.In);
        _lanes.CopyIn(_buffers.Gradient(Begin(layer)), _host.Gradient(Begin(layer)), _layout.LayerCount * sizeof(float));
        _lanes.End(Lane.In, "gradient in");
        _lanes.Record(TurnOf(layer).Loaded, Lane.In);
    }

    // Sums that a small matrix does not need stay zero.
    private void QueueSums(int place, nint gradient, long count) => _lanes.Kernels(Lane.Compute).Launch("sum_of_squares",
        (int)Math.Clamp(count / 4 / SumsBlock, 1, SumsEach), SumsBlock, _buffers.NormSums + place * SumsEach * sizeof(float), gradient, count);
}
