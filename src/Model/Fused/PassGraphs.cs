using System.Numerics;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;
using Streaming.Model.Measurement;

namespace Streaming.Model.Fused;

/// <summary>
/// The passes over a micro-batch as CUDA graphs: forward and backward, and forward alone. They have room for a number of documents,
/// unused ones are empty, and are recorded anew where a micro-batch has more.
/// </summary>
/// <param name="layers">Where layers are streamed: their gradient begins from zero in the first micro-batch of a step, and is added to in others.</param>
internal sealed class PassGraphs(
    CudaDevice device, FusedShape shape, FusedBuffers buffers, FusedPasses passes, LibtorchAttention attention, StreamedLayers? layers) : IDisposable
{
    // Blocks of a grid's second dimension, of which FlashAttention-2 takes one a document.
    private const int MaximalDocuments = 65_535;

    private readonly LibtorchAttention.State[] _states = new LibtorchAttention.State[shape.Layers];
    private CudaGraph? _train, _first, _evaluate;
    private int _documents = buffers.Positions / buffers.RowTokens; // one a row

    /// <summary>Queues forward and backward pass.</summary>
    /// <param name="isFirst">Of a step.</param>
    public void Train(bool isFirst) => (isFirst && _first is not null ? _first : _train)!.Launch();

    /// <summary>Queues the forward pass.</summary>
    public void Evaluate() => _evaluate!.Launch();

    /// <summary>Both passes, eagerly, over the input that is there: libraries plan and allocate. Then the same calls are recorded.</summary>
    /// <param name="warmed">Called in between.</param>
    public void Start(Action warmed)
    {
        using (StartTrace.Phase("first pass"))
        {
            passes.Forward(_states);
            passes.Backward(_states);
            device.Synchronize();
        }
        Release();
        warmed();
        using (StartTrace.Phase("graphs")) Record();
    }

    /// <summary>
    /// From the first micro-batch on whose rows hold several documents, attention is FlashAttention-2's for variable lengths.
    /// </summary>
    /// <exception cref="NotSupportedException">More documents than attention takes.</exception>
    public void MakeRoom(int documents)
    {
        if (documents <= _documents) return;
        if (documents > MaximalDocuments)
            throw new NotSupportedException($"a micro-batch holds {documents} documents, attention takes up to {MaximalDocuments}: lower training.per-device-train-batch-size");
        var room = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(documents, 4 * (buffers.Positions / buffers.RowTokens)));
        _documents = Math.Min(room, Math.Min(MaximalDocuments, buffers.Positions));
        device.Synchronize();
        Dispose();
        attention.UseDocuments(buffers.Boundaries, _documents);
        // Its kernels are loaded by a first run, on what the boundaries were last and whatever lies in the arena; the results are discarded.
        var warm = attention.Forward(buffers.Arena + (nint)buffers.Plan.Packed[0]);
        attention.Release(attention.Backward(warm, buffers.Arena + (nint)buffers.Plan.DAttention).Tensors);
        attention.Release(warm);
        device.Synchronize();
        Record();
    }

    private void Record()
    {
        // A finaliser that frees device memory would break the capture.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        if (layers is not null)
        {
            layers.Adds = false;
            _first = RecordTraining();
            Release();
            layers.Adds = true;
        }
        _train = RecordTraining();
        _evaluate = CudaGraph.Record(device, "the evaluation", () => passes.Forward(null));
    }

    private CudaGraph RecordTraining() => CudaGraph.Record(device, "the micro-step", () =>
    {
        passes.Forward(_states);
        passes.Backward(_states);
    });

    // What attention holds for the backward pass; once recorded, the graph's own.
    private void Release()
    {
        foreach (var state in _states) attention.Release(state);
    }

    /// <summary>The device must be idle.</summary>
    public void Dispose()
    {
        _train?.Dispose();
        _first?.Dispose();
        _evaluate?.Dispose();
        Release();
    }
}
