using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Tests.Fused.Offload;

/// <summary>Buffers, optimiser and, where something is offloaded, lanes on a kernel device: an engine without its passes.</summary>
internal sealed class OffloadMachine : IDisposable
{
    private readonly KernelBench _bench;
    private readonly ParameterLayout _layout;
    private readonly MistralConfig _model;
    private readonly FlatBuffers _buffers;
    private readonly FusedOptimizer _optimizer;
    private readonly HostMemory _memory = new(new NoLocking());

    public OffloadMachine(KernelBench bench, FusedShape shape, OptimizerKind kind, OffloadLevel level, int seed, int slots = 3, long slotBytes = 24_000)
    {
        (_bench, _layout, _model) = (bench, new ParameterLayout(shape), shape.Model);
        var half = bench.Half.IsFloat16;
        var options = new OptimizerOptions { Kind = kind, Decay = DecayTarget.Matrices };
        Lanes = new ShuffledLanes(bench.Device, seed);
        var host = level == OffloadLevel.None ? null
            : new HostState(level, _memory, _layout, new HostBlock(_layout.Count * 2), new HostBlock(_layout.Count * FlatBuffers.LowBytesFor(half)), half);
        _buffers = new FlatBuffers(bench.Device, _layout, kind, half, host);
        _optimizer = new FusedOptimizer(_layout, options, _buffers, bench.Device, level == OffloadLevel.None ? bench.Device : Lanes.Kernels(Lane.Compute), 0, 0, null, scalesLoss: half);
        Parameters = [.. _layout.Entries.Select(entry => new FusedParameter(_buffers, entry, () => { }))];
        if (host is null) return;
        var chunks = new StateChunks(_buffers, _layout, slotBytes);
        Update = new StreamedUpdate(Lanes, _optimizer, _layout, chunks,
            [.. Enumerable.Range(0, slots).Select(_ => bench.Device.Allocate(chunks.SlotBytes, "slot"))], readsAhead: level == OffloadLevel.Optimizer);
        if (level == OffloadLevel.Parameters) Layers = new StreamedLayers(Lanes, _buffers, _layout);
        _memory.Settle = Level == OffloadLevel.Parameters ? Lanes.FinishAll : Update.Finish;
        _memory.Changing = Update.Forget;
    }

    public ShuffledLanes Lanes { get; }
    public StreamedUpdate? Update { get; }
    public StreamedLayers? Layers { get; }
    public IReadOnlyList<FusedParameter> Parameters { get; }
    public long HostBytes => _memory.Bytes;
    private OffloadLevel Level => _buffers.Host?.Level ?? OffloadLevel.None;

    public void Fill(float[][] weights)
    {
        for (var i = 0; i < weights.Length; i++) Parameters[i].Write(StateKind.Weight, weights[i]);
    }

    /// <summary>
    /// A step as the engine queues it, one gradient of all parameters a micro-batch; checks on the way that each layer's weights are
    /// there when it is computed.
    /// </summary>
    public StepScalars Step(float[][][] gradients, double rate, int step, float[][] weights)
    {
        foreach (var gradient in gradients) Accumulate(gradient, weights);
        Update?.AwaitUpdate(Lane.Compute);
        _optimizer.QueueBegin(rate, step);
        var result = new StepScalars[1];
        if (Update is null) _optimizer.Queue(_ => { });
        else
        {
            if (Layers is null) _optimizer.QueueNorm(_ => { });
            else
            {
                Layers.QueueOtherSums();
                _optimizer.QueueClipping(StreamedLayers.SumsFor(_layout.Layers.Length), _ => { });
            }
            var normed = Lanes.NewMark();
            Lanes.Record(normed, Lane.Compute);
            Update.Queue();
            Lanes.Finish(normed); // the host goes on once norm and loss are known
        }
        _buffers.HasGradient = false;
        _buffers.Moments.Updated();
        _bench.Device.Download<StepScalars>(result, _buffers.Scalars);
        return result[0];
    }

    /// <summary>A snapshot, begun by <see cref="HomeSnapshot.Begin"/>.</summary>
    /// <param name="freeBytes">Host memory that it may take.</param>
    public HomeSnapshot NewSnapshot(long freeBytes) =>
        new(_model, Parameters.Select(parameter => parameter.Name), _buffers, _layout, Update!.Finish, () => freeBytes);

    /// <summary>Reads everything that a checkpoint holds.</summary>
    public Dictionary<(string, StateKind), float[]> State() => Parameters
        .SelectMany(parameter => new[] { StateKind.Weight, StateKind.FirstMoment, StateKind.SecondMoment }.Select(kind => (parameter, kind)))
        .ToDictionary(pair => (pair.parameter.Name, pair.kind), pair => Read(pair.parameter, pair.kind));

    public void Restore(Dictionary<(string, StateKind), float[]> state)
    {
        foreach (var parameter in Parameters)
            foreach (var kind in new[] { StateKind.Weight, StateKind.FirstMoment, StateKind.SecondMoment }) parameter.Write(kind, state[(parameter.Name, kind)]);
    }

    public static float[] Read(IParameterState parameter, StateKind kind)
    {
        var values = new float[parameter.Shape.Aggregate(1L, (product, size) => product * size)];
        parameter.Read(kind, values);
        return values;
    }

    /// <summary>A micro-batch.</summary>
    public void Accumulate(float[][] gradient, float[][] weights)
    {
        IResidency residency = Layers is not null ? Layers : Update is not null ? new UpdatedInTurn(Update) : new AllResident();
        if (Layers is not null)
        {
            Update!.AwaitHome(Lane.Compute);
            Layers.Adds = _buffers.HasGradient;
        }
        residency.BeginForward(backward: true);
        Compute(() => Check("model.embed_tokens.weight", _buffers.High(_layout.Embedding), weights));
        Compute(() => Check("model.norm.weight", _buffers.High(_layout.Entries[^1].Offset), weights));
        for (var i = 0; i < _layout.Layers.Length; i++)
        {
            residency.EnterForward(i);
            CheckLayer(i);
            residency.LeaveForward(i);
        }
        residency.EnterClassifier(backward: true);
        var classifier = _layout.Classifier == _layout.Embedding ? "model.embed_tokens.weight" : "lm_head.weight";
        Compute(() => Check(classifier, _buffers.ClassifierHigh, weights));
        // A tied matrix has half of its gradient from here, half from the embedding.
        Compute(() => AddTo(classifier, _buffers.ClassifierGradient, gradient, _layout.Classifier == _layout.Embedding ? 0.5f : 1));
        residency.LeaveClassifier(backward: true);
        for (var i = _layout.Layers.Length - 1; i >= 0; i--)
        {
            residency.EnterBackward(i);
            CheckLayer(i);
            foreach (var entry in Of(i)) Compute(() => AddTo(entry.Name, _buffers.Gradient(entry.Offset), gradient, 1));
            residency.LeaveBackward(i);
        }
        residency.EnterEmbeddingBackward();
        Compute(() => AddTo("model.embed_tokens.weight", _buffers.Gradient(_layout.Embedding), gradient, _layout.Classifier == _layout.Embedding ? 0.5f : 1));
        foreach (var entry in _layout.Entries.Where(entry => entry.Offset >= _layout.Norms)) Compute(() => AddTo(entry.Name, _buffers.Gradient(entry.Offset), gradient, 1));
        residency.End();
        _buffers.HasGradient = true;

        void CheckLayer(int layer)
        {
            foreach (var entry in Of(layer)) Compute(() => Check(entry.Name, _buffers.High(entry.Offset), weights));
        }
    }

    private IEnumerable<ParameterLayout.Entry> Of(int layer) => _layout.Entries.Where(entry =>
        entry.Offset >= _layout.LayersBegin + layer * _layout.LayerCount && entry.Offset < _layout.LayersBegin + (layer + 1) * _layout.LayerCount);

    private void Compute(Action work)
    {
        if (Level == OffloadLevel.None) work();
        else Lanes.Do(Lane.Compute, work);
    }

    private void Check(string name, nint high, float[][] weights)
    {
        var expected = weights[IndexOf(name)];
        var actual = new ushort[expected.Length];
        _bench.Device.Download(actual.AsSpan(), high);
        Assert.True(expected.Select(value => _bench.Half.Nearest(value)).Zip(actual, (e, a) => Math.Abs(e - a) <= 1).All(near => near), $"{name} is not there, or not as the last step left it");
    }

    private void AddTo(string name, nint address, float[][] gradient, float share)
    {
        var sum = new float[gradient[IndexOf(name)].Length];
        _bench.Device.Download(sum.AsSpan(), address);
        for (var i = 0; i < sum.Length; i++) sum[i] += share * gradient[IndexOf(name)][i];
        _bench.Device.Upload<float>(address, sum);
    }

    private int IndexOf(string name) => _layout.Entries.ToList().FindIndex(entry => entry.Name == name);

    public void Dispose() => _memory.Dispose();
}
