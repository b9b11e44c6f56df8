namespace Streaming.Model.Fused.Offload;

/// <summary>
/// The optimiser step on state in host memory. Pieces go through a few slots of device memory: while one is updated, the next ones come
/// in and the last ones go out. Nothing but the gradient's norm comes before the first piece, so the pieces of the next step may come
/// in as soon as slots are free; and the next forward pass waits for the pieces of a layer when it comes to it.
/// </summary>
internal sealed class StreamedUpdate
{
    private readonly ILanes _lanes;
    private readonly FusedOptimizer _optimizer;
    private readonly ParameterLayout _layout;
    private readonly StateChunks _chunks;
    private readonly bool _readsAhead;
    private readonly Slot[] _slots;
    private readonly Mark[] _layers;
    private readonly Mark _normed, _embedding, _classifier, _updated, _home;
    private long _loaded, _done; // pieces since the beginning, steps on end

    private sealed record Slot(nint Address, Mark Loaded, Mark Updated, Mark Free);

    /// <param name="lanes">Where it runs.</param>
    /// <param name="optimizer">The kernels.</param>
    /// <param name="layout">Of the buffers.</param>
    /// <param name="chunks">The pieces.</param>
    /// <param name="slots">Device addresses of rooms for a piece each; more than there are pieces serve nothing.</param>
    /// <param name="readsAhead">The slots are the update's own, and are filled for the next step at once.</param>
    public StreamedUpdate(ILanes lanes, FusedOptimizer optimizer, ParameterLayout layout, StateChunks chunks, IReadOnlyList<nint> slots, bool readsAhead)
    {
        (_lanes, _optimizer, _layout, _chunks, _readsAhead) = (lanes, optimizer, layout, chunks, readsAhead);
        _slots = [.. slots.Take(chunks.Items.Count).Select(address => new Slot(address, lanes.NewMark(), lanes.NewMark(), lanes.NewMark()))];
        _layers = [.. layout.Layers.Select(_ => lanes.NewMark())];
        (_normed, _embedding, _classifier, _updated, _home) = (lanes.NewMark(), lanes.NewMark(), lanes.NewMark(), lanes.NewMark(), lanes.NewMark());
    }

    /// <summary>Bytes that come in and go out in a step.</summary>
    public (long In, long Out) Traffic
    {
        get
        {
            var trips = _chunks.Items.SelectMany(chunk => _chunks.Place(chunk, 0).Trips).ToArray();
            return (trips.Where(trip => trip.In).Sum(trip => trip.Bytes), trips.Where(trip => trip.Out).Sum(trip => trip.Bytes));
        }
    }

    /// <summary>Queues the step, whose norm and clipping are queued in <see cref="Lane.Compute"/>.</summary>
    public void Queue()
    {
        var count = _chunks.Items.Count;
        _lanes.Record(_normed, Lane.Compute);
        _lanes.Wait(_normed, Lane.Update);
        _lanes.Wait(_home, Lane.Update); // what the last step left on the device has been copied
        if (!_readsAhead)
        {
            _lanes.Wait(_normed, Lane.In); // until then the slots are others'
            _loaded = _done;
        }
        while (_loaded < _done + _slots.Length) Load();
        for (var i = 0; i < count; i++, _done++)
        {
            var chunk = _chunks.Items[i];
            var slot = _slots[_done % _slots.Length];
            var (trips, addresses, _) = _chunks.Place(chunk, slot.Address);
            _lanes.Wait(slot.Loaded, Lane.Update);
            _lanes.Begin(Lane.Update);
            _optimizer.QueueUpdate(_lanes.Kernels(Lane.Update), chunk.Range, chunk.Begin, chunk.Count, addresses);
            _lanes.End(Lane.Update, "update");
            _lanes.Record(slot.Updated, Lane.Update);
            RecordWeights(chunk);
            _lanes.Wait(slot.Updated, Lane.Out);
            _lanes.Begin(Lane.Out);
            foreach (var trip in trips)
                if (trip is { In: true, Out: true }) _lanes.CopyOut(trip.Host, trip.Device, trip.Bytes);
            _lanes.End(Lane.Out, "state out");
            _lanes.Record(slot.Free, Lane.Out);
            // Into the slot that is becoming free, for the next step perhaps: its piece went home in this one, a lap ago at the latest.
            if (_readsAhead || i + _slots.Length < count) Load();
        }
        _lanes.Record(_updated, Lane.Update);
        QueueCopies();
        _lanes.Record(_home, Lane.Out);
    }

    /// <summary>What is queued in a lane from here on finds all weights of the last step updated.</summary>
    public void AwaitUpdate(Lane lane) => _lanes.Wait(_updated, lane);

    /// <summary>What is queued in a lane from here on finds the last step's state at home, and the slots free.</summary>
    public void AwaitHome(Lane lane) => _lanes.Wait(_home, lane);

    /// <summary>The forward pass waits for norms and embedding.</summary>
    public void AwaitEmbedding() => _lanes.Wait(_embedding, Lane.Compute);

    /// <summary>The forward pass waits for a layer's matrices.</summary>
    public void AwaitLayer(int layer) => _lanes.Wait(_layers[layer], Lane.Compute);

    /// <summary>The forward pass waits for the output matrix, and with it for everything.</summary>
    public void AwaitClassifier() => _lanes.Wait(_classifier, Lane.Compute);

    /// <summary>The calling thread waits for what was queued in <see cref="Lane.Compute"/> before the last step.</summary>
    public void FinishNorm() => _lanes.Finish(_normed);

    /// <summary>The calling thread waits until the last step's state is at home.</summary>
    public void Finish() => _lanes.Finish(_home);

    /// <summary>The state at home changes: what was read ahead is read again.</summary>
    public void Forget() => _loaded = _done;

    // What stays on the device goes home last, beside the next passes: nobody waits for it but a checkpoint and the next update.
    private void QueueCopies()
    {
        _lanes.Wait(_updated, Lane.Out);
        _lanes.Begin(Lane.Out);
        foreach (var chunk in _chunks.Items)
            foreach (var trip in _chunks.Place(chunk, 0).Trips)
                if (!trip.In) _lanes.CopyOut(trip.Host, trip.Device, trip.Bytes);
        _lanes.End(Lane.Out, "weights out");
    }

    private void Load()
    {
        var slot = _slots[_loaded % _slots.Length];
        var (trips, _, _) = _chunks.Place(_chunks.Items[(int)(_loaded % _chunks.Items.Count)], slot.Address);
        _lanes.Wait(slot.Free, Lane.In);
        _lanes.Begin(Lane.In);
        foreach (var trip in trips)
            if (trip.In) _lanes.CopyIn(trip.Device, trip.Host, trip.Bytes);
        _lanes.End(Lane.In, "state in");
        _lanes.Record(slot.Loaded, Lane.In);
        _loaded++;
    }

    // Pieces lie in the order of the layers, after the norms.
    private void RecordWeights(StateChunk chunk)
    {
        if (chunk.Begin >= _layout.Norms) return;
        if (chunk.End >= _layout.LayersBegin && chunk.Begin < _layout.LayersBegin) _lanes.Record(_embedding, Lane.Update);
        for (var layer = 0; layer < _layers.Length; layer++)
        {
            var end = _layout.LayersBegin + (layer + 1) * _layout.LayerCount;
            if (chunk.Begin < end && chunk.End >= end) _lanes.Record(_layers[layer], Lane.Update);
        }
        if (chunk.End == _layout.Norms) _lanes.Record(_classifier, Lane.Update);
    }
}
