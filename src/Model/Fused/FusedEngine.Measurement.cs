using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;
using Streaming.Model.Optimizers;
using CudaDevice = Streaming.Model.Fused.Cuda.CudaDevice;

namespace Streaming.Model.Fused;

/// <summary>What the engine tells of itself to benchmarks and specs: memory, the time of each operation, logits.</summary>
public sealed unsafe partial class FusedEngine
{
    /// <summary>Bytes of the card that came into use since the engine was built, libtorch's and cuBLAS's included.</summary>
    public long DeviceBytes => CudaDevice.Memory().Used - _memoryBefore;

    /// <summary>Logits (positions, vocabulary) of the last evaluation, where one chunk held them all.</summary>
    internal float[] ReadLogits(int positions)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(positions, _buffers.Chunk);
        ArgumentOutOfRangeException.ThrowIfNotEqual(_buffers.Chunk, _buffers.Positions);
        var rounded = new ushort[positions * _shape.VocabularyPadded];
        _device.Download(rounded.AsSpan(), _buffers.Arena + (nint)_buffers.Plan.Logits);
        var logits = new float[positions * _shape.Vocabulary];
        for (var i = 0; i < logits.Length; i++)
        {
            var bits = rounded[i / _shape.Vocabulary * _shape.VocabularyPadded + i % _shape.Vocabulary];
            logits[i] = _options.Precision == Precision.Float16 ? (float)BitConverter.UInt16BitsToHalf(bits) : MasterWeight.Join(bits, 0);
        }
        return logits;
    }

    /// <summary>The least work of one operation of <see cref="Profile"/>, a call; null where it is not stated.</summary>
    public OperationCost? CostOf(string operation, int calls)
    {
        var costs = new OperationCosts(_shape, _buffers.Positions, _options.Tokens, _options.WideResidual, _options.Precision == Precision.Float8);
        // AdamW in float32 updates what no other rule does.
        var updated = operation == "adamw" ? _buffers.Flat.Moments.Plan.Ranges.Where(range => range.Rule == UpdateRule.AdamW).Sum(range => range.Count) / calls : (_buffers.Adapters?.Parameters ?? _layout).Count;
        return costs.Of(operation, calls, updated);
    }

    /// <summary>One micro-step and one optimiser step without graphs, timed operation by operation; the update uses a learning rate of 0.</summary>
    public IReadOnlyList<(string Name, double Milliseconds, int Calls)> Profile(ReadOnlySpan<int> tokens, int rows)
    {
        _offload?.BeforePass();
        _offload?.BeforeUpdate();
        if (_offload?.Layers is { } layers) layers.Adds = _buffers.Flat.HasGradient;
        Upload(new MicroBatch(tokens, rows), microBatches: 1);
        var states = new LibtorchAttention.State[_shape.Layers];
        _update.QueueBegin(learningRate: 0, Step + 1);
        _device.Synchronize();
        _timer.Start();
        _passes.Forward(states);
        _passes.Backward(states);
        QueueUpdate();
        _buffers.Flat.HasGradient = false;
        _buffers.Flat.Moments.Updated();
        var table = _timer.Stop();
        foreach (var state in states) _attention.Release(state);
        _input.Release();
        _ = ReadScalars();
        return table;
    }

    /// <summary>What <see cref="DeviceBytes"/> was expected to be.</summary>
    public long PredictedDeviceBytes => _needs.Bytes(_options.Rows);

    /// <summary>Bytes of page-locked host memory that the training state and what layers keep take.</summary>
    public long HostBytes => _hostMemory?.Bytes ?? 0;

    /// <summary>Bytes that an update brings in from host memory and sends out to it.</summary>
    public (long In, long Out) UpdateTraffic => _offload?.Update.Traffic ?? default;

    /// <summary>
    /// What was when, by CUDA events, over a step of some micro-batches, its update and the first micro-batch of the next step, eagerly;
    /// the update uses a learning rate of 0. Empty where nothing is offloaded.
    /// </summary>
    public IReadOnlyList<LaneSpan> Trace(ReadOnlySpan<int> tokens, int rows, int microBatches)
    {
        if (_offload is null) return [];
        var states = new LibtorchAttention.State[_shape.Layers];
        _offload.Update.Finish();
        for (var i = 0; i <= microBatches; i++)
        {
            if (i == 1) _offload.Lanes.StartTrace(); // the first warms up
            _offload.BeforePass();
            if (_offload.Layers is { } layers) layers.Adds = _buffers.Flat.HasGradient;
            Upload(new MicroBatch(tokens, rows), microBatches);
            _passes.Forward(states);
            _passes.Backward(states);
            _buffers.Flat.HasGradient = true;
            foreach (var state in states) _attention.Release(state);
            Array.Clear(states);
            _input.Release();
            if (i != microBatches - 1) continue;
            _offload.BeforeUpdate();
            _update.QueueBegin(learningRate: 0, Step + 1);
            QueueUpdate();
            _buffers.Flat.HasGradient = false;
            _buffers.Flat.Moments.Updated();
        }
        var spans = _offload.Lanes.StopTrace();
        _ = Update(learningRate: 0);
        return spans;
    }
}
