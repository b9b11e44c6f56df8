using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using static Streaming.Model.Fused.Cuda.CudaDriver;
using CudaDevice = Streaming.Model.Fused.Cuda.CudaDevice;

namespace Streaming.Model.Fused;

/// <summary>What the fused engine is built for.</summary>
/// <param name="Rows">Sequences a micro-batch.</param>
/// <param name="Tokens">Tokens a sequence.</param>
/// <param name="Device">GPU index.</param>
/// <param name="Deterministic">Two runs agree to the last bit; costs a little speed.</param>
/// <param name="KernelCache">Folder of compiled kernels.</param>
/// <param name="EightBitProducts">fp8 operands for most products of the layers; needs compute capability 8.9.</param>
public sealed record FusedEngineOptions(int Rows, int Tokens, int Device, bool Deterministic, string KernelCache, bool EightBitProducts = false);

/// <summary>
/// Mistral trained on one CUDA GPU without autograd: bf16 products with float32 accumulation, float32 master weights, gradients and
/// moments in flat buffers, activations in one arena, the micro-step and the optimiser step replayed as CUDA graphs.
/// </summary>
public sealed unsafe class FusedEngine : ITrainingEngine
{
    private const int InputSlots = 4, OptimizerBlock = 256;

    private readonly OptimizerOptions _optimizer;
    private readonly FusedEngineOptions _options;
    private readonly FusedShape _shape;
    private readonly ParameterLayout _layout;
    private readonly CudaDevice _device;
    private readonly KernelModule _kernels;
    private readonly MatrixProducts _products;
    private readonly LibtorchAttention _attention;
    private readonly FusedBuffers _buffers;
    private readonly FusedPasses _passes;
    private readonly StepTimer _timer;
    private readonly EmbeddingPlan _embedding;
    private readonly LibtorchAttention.State[] _states;
    private readonly nint[] _inputs = new nint[InputSlots], _inputEvents = new nint[InputSlots];
    private readonly nint _hostScalars;
    private readonly long _memoryBefore;
    private nint _trainGraph, _evaluateGraph, _updateGraph;
    private int _slot;
    private bool _weightsChanged = true;

    /// <exception cref="NotSupportedException">The model's shape or the GPU is not one the kernels compute.</exception>
    /// <exception cref="OutOfDeviceMemoryException">The micro-batch does not fit.</exception>
    public FusedEngine(MistralConfig model, OptimizerOptions optimizer, FusedEngineOptions options, IWeightSource weights)
    {
        LibtorchRuntime.Load();
        (_optimizer, _options) = (optimizer, options);
        _shape = FusedShape.From(model);
        _layout = new ParameterLayout(_shape);
        _device = new CudaDevice(options.Device);
        if (_device.ComputeCapability.Major < 8)
            throw new NotSupportedException($"the fused engine computes in bf16, which {_device.Name} (compute capability {_device.ComputeCapability.Major}.{_device.ComputeCapability.Minor}) does not have: set training.engine = reference");
        if (options.EightBitProducts && (_device.ComputeCapability.Major, _device.ComputeCapability.Minor).CompareTo((8, 9)) < 0)
            throw new NotSupportedException($"training.precision = fp8 needs compute capability 8.9 or more, {_device.Name} has {_device.ComputeCapability.Major}.{_device.ComputeCapability.Minor}: set training.precision = bf16");
        _memoryBefore = CudaDevice.Memory().Used;
        var window = model.SlidingWindow is { } width && width < options.Tokens;
        _attention = new LibtorchAttention(_device, _shape, options.Rows, options.Tokens,
            window || options.Deterministic || _device.ComputeCapability.Major < 9 ? AttentionKernel.Flash2 : AttentionKernel.Cudnn, options.Deterministic);
        _kernels = new KernelModule(_device,
            KernelCompiler.Compile(KernelSource.Text, KernelSource.Macros(_shape), _device.ComputeCapability, options.KernelCache));
        _products = new MatrixProducts(_device, CublasLt.BFloat16, options.Deterministic);
        _buffers = AllocateBuffers();
        _timer = new StepTimer(_device);
        _passes = new FusedPasses(_shape, _layout, _buffers.Plan, _buffers, _kernels, _products, _attention, _timer);
        _embedding = new EmbeddingPlan(_shape.Vocabulary, _buffers.Positions);
        _states = new LibtorchAttention.State[_shape.Layers];
        for (var i = 0; i < InputSlots; i++)
        {
            _inputs[i] = _device.AllocatePinned(_buffers.Input.Bytes + 2 * sizeof(float));
            Check(cuEventCreate(out _inputEvents[i], 0), "create an event");
        }
        _hostScalars = _device.AllocatePinned(StepScalars.Bytes);
        Parameters = [.. _layout.Entries.Select(entry => new ParameterState(this, entry))];
        Capture();
        Load(weights);
    }

    public MistralConfig Model => _shape.Model;
    public long ParameterCount => _layout.ParameterCount;
    public long Step { get; set; }
    public IReadOnlyList<IParameterState> Parameters { get; }
    public string Description => $"fused, {(_options.EightBitProducts ? "fp8 and bf16" : "bf16")} with float32 master weights, {_device.Name}";

    /// <summary>Bytes of the card that came into use since the engine was built, libtorch's and cuBLAS's included.</summary>
    public long DeviceBytes => CudaDevice.Memory().Used - _memoryBefore;

    public void Accumulate(ReadOnlySpan<int> tokens, int rows, int microBatches)
    {
        var predicted = Upload(tokens, rows);
        SetLossScale(1.0f / ((float)predicted * microBatches));
        if (_weightsChanged) Calibrate();
        Check(cuGraphLaunch(_trainGraph, _device.Stream), "launch the micro-step");
        Check(cuEventRecord(_inputEvents[_slot], _device.Stream), "record");
    }

    public StepResult Update(double learningRate)
    {
        Step++;
        var scalars = new StepScalars
        {
            LearningRate = (float)learningRate,
            FirstCorrection = (float)(1.0 - Math.Pow(_optimizer.Beta1, Step)),
            SecondCorrection = (float)Math.Sqrt(1.0 - Math.Pow(_optimizer.Beta2, Step)),
            InverseLossScale = 1.0f,
            MaximumNorm = (float)_optimizer.MaxGradientNorm,
        };
        *(StepScalars*)(_hostScalars + StepScalars.HostOffset) = scalars;
        Check(cuMemcpyHtoDAsync_v2(_buffers.Scalars + StepScalars.HostOffset, _hostScalars + StepScalars.HostOffset, (nuint)sizeof(StepScalars), _device.Stream), "upload scalars");
        Check(cuGraphLaunch(_updateGraph, _device.Stream), "launch the optimiser step");
        return ReadResult();
    }

    public double Evaluate(ReadOnlySpan<int> tokens, int rows)
    {
        var predicted = Upload(tokens, rows);
        SetLossScale(1.0f / predicted);
        if (_weightsChanged) Calibrate();
        Check(cuGraphLaunch(_evaluateGraph, _device.Stream), "launch the evaluation");
        Check(cuEventRecord(_inputEvents[_slot], _device.Stream), "record");
        return ReadResult().Loss;
    }

    /// <summary>One micro-step and one optimiser step without graphs, timed operation by operation; the update uses a learning rate of 0.</summary>
    public IReadOnlyList<(string Name, double Milliseconds, int Calls)> Profile(ReadOnlySpan<int> tokens, int rows)
    {
        var predicted = Upload(tokens, rows);
        SetLossScale(1.0f / predicted);
        var states = new LibtorchAttention.State[_shape.Layers];
        _device.Synchronize();
        _timer.Start();
        _passes.Forward(states);
        _passes.Backward(states);
        QueueUpdate();
        var table = _timer.Stop();
        foreach (var state in states) _attention.Release(state);
        _ = ReadResult();
        return table;
    }

    private FusedBuffers AllocateBuffers()
    {
        try
        {
            return new FusedBuffers(_device, _shape, _layout, _options.Rows, _options.Tokens, _options.EightBitProducts);
        }
        catch (CudaException exception) when (exception.IsOutOfMemory)
        {
            var (used, total) = CudaDevice.Memory();
            var rows = _options.Rows;
            while (rows > 0 && Predict(rows) > total - _memoryBefore) rows--;
            throw new OutOfDeviceMemoryException(_options.Rows, rows, Predict(_options.Rows), total - used, exception);
        }
    }

    private long Predict(int rows) =>
        FusedBuffers.Predict(_shape, _layout, rows, _options.Tokens, _device.Multiprocessors, _options.EightBitProducts);

    // The scales of 8-bit tensors follow what was seen. Before anything was, the micro-batch at hand runs until they have settled
    // (what one layer saturates hides the next one's range), and its gradient is discarded.
    private void Calibrate()
    {
        const int rounds = 4;
        _weightsChanged = false;
        if (_buffers.EightBits is not { } eight) return;
        eight.Reset(_device);
        _passes.RoundWeights();
        for (var i = 0; i < rounds; i++) Check(cuGraphLaunch(_trainGraph, _device.Stream), "launch the micro-step");
        _device.Clear(_buffers.Gradients, _layout.Count * 4);
        Check(cuMemsetD32Async(_buffers.Loss, 0, 1, _device.Stream), "clear the loss");
    }

    private void Load(IWeightSource weights)
    {
        var parameters = ModelParameter.Of(Model).ToDictionary(parameter => parameter.Name);
        foreach (var state in Parameters)
        {
            var parameter = parameters[state.Name];
            var values = new float[parameter.Count];
            weights.Read(parameter, values);
            state.Write(StateKind.Weight, values);
        }
    }

    // A first eager run lets the libraries plan and allocate; then the same calls are recorded.
    private void Capture()
    {
        _kernels.Launch("fill_noise", _device.Multiprocessors * 8, OptimizerBlock, _buffers.Arena, _buffers.Plan.Bytes / 4);
        var tokens = new int[_buffers.Positions];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = i % _shape.Vocabulary;
        _passes.RoundWeights();
        SetLossScale(1.0f / Upload(tokens, _options.Rows));
        _passes.Forward(_states);
        _passes.Backward(_states);
        QueueUpdate();
        foreach (var state in _states) _attention.Release(state);
        _device.Clear(_buffers.Gradients, _layout.Count * 4);
        _device.Synchronize();

        GC.Collect();
        GC.WaitForPendingFinalizers();
        _trainGraph = Record(() =>
        {
            _passes.Forward(_states);
            _passes.Backward(_states);
        });
        _evaluateGraph = Record(() => _passes.Forward(null));
        _updateGraph = Record(QueueUpdate);
        _device.Clear(_buffers.FirstMoment, _layout.Count * 4);
        _device.Clear(_buffers.SecondMoment, _layout.Count * 4);
        _device.Clear(_buffers.Scalars, StepScalars.Bytes);
        _device.Synchronize();
    }

    private nint Record(Action queue)
    {
        Check(cuStreamBeginCapture_v2(_device.Stream, CaptureRelaxed), "begin a capture");
        queue();
        Check(cuStreamEndCapture(_device.Stream, out var graph), "end a capture");
        Check(cuGraphInstantiateWithFlags(out var executable, graph, 0), "instantiate a graph");
        _ = cuGraphDestroy(graph);
        return executable;
    }

    private void QueueUpdate()
    {
        _kernels.Launch("sum_of_squares", FusedBuffers.NormSumBlocks, 512, _buffers.NormSums, _buffers.Gradients, _layout.Count);
        _kernels.Launch("clip_by_norm", 1, 1024, _buffers.Scalars, _buffers.NormSums, FusedBuffers.NormSumBlocks);
        _timer.Lap("gradient norm");
        var decayed = _optimizer.Decay == DecayTarget.All ? _layout.Count : _layout.Norms;
        _kernels.Launch("adamw", _device.Multiprocessors * 8, OptimizerBlock, _buffers.WeightsHigh, _buffers.WeightsLow, _buffers.Gradients,
            _buffers.FirstMoment, _buffers.SecondMoment, _buffers.Scalars, _layout.Count, decayed,
            (float)_optimizer.Beta1, (float)_optimizer.Beta2, (float)_optimizer.Epsilon, (float)_optimizer.WeightDecay);
        _timer.Lap("adamw");
        _passes.RoundWeights();
    }

    // Token ids, labels shifted by one (none across rows, none for absent rows) and the embedding's plan into the device's input block.
    private int Upload(ReadOnlySpan<int> tokens, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, _options.Rows);
        ArgumentOutOfRangeException.ThrowIfNotEqual(tokens.Length, rows * _options.Tokens);
        _slot = (_slot + 1) % InputSlots;
        Check(cuEventSynchronize(_inputEvents[_slot]), "wait for an input slot");
        var input = _buffers.Input;
        Span<int> Part(int offset, int count) => new((void*)(_inputs[_slot] + offset), count);

        var ids = Part(input.Tokens, _buffers.Positions);
        var labels = Part(input.Labels, _buffers.Positions);
        ids.Clear();
        tokens.CopyTo(ids);
        labels.Fill(-1);
        for (var row = 0; row < rows; row++)
            tokens.Slice(row * _options.Tokens + 1, _options.Tokens - 1).CopyTo(labels[(row * _options.Tokens)..]);
        _embedding.Build(ids);
        _embedding.Order.CopyTo(Part(input.Order, _embedding.Order.Length));
        _embedding.Begin.CopyTo(Part(input.Begin, _embedding.Begin.Length));
        _embedding.Token.CopyTo(Part(input.RunToken, _embedding.Token.Length));
        _embedding.Slot.CopyTo(Part(input.Slot, _embedding.Slot.Length));
        _embedding.JoinBegin.CopyTo(Part(input.JoinBegin, _embedding.JoinBegin.Length));
        _embedding.JoinToken.CopyTo(Part(input.JoinToken, _embedding.JoinToken.Length));
        _embedding.Counts.CopyTo(Part(input.Counts, 2));
        Check(cuMemcpyHtoDAsync_v2(_buffers.InputBase, _inputs[_slot], (nuint)input.Bytes, _device.Stream), "upload tokens");
        return rows * (_options.Tokens - 1);
    }

    private void SetLossScale(float weight)
    {
        var slot = (float*)(_inputs[_slot] + _buffers.Input.Bytes);
        slot[0] = slot[1] = weight;
        Check(cuMemcpyHtoDAsync_v2(_buffers.LossScale, (nint)slot, 2 * sizeof(float), _device.Stream), "upload the loss scale");
    }

    private StepResult ReadResult()
    {
        Check(cuMemcpyDtoHAsync_v2(_hostScalars, _buffers.Scalars, StepScalars.Bytes, _device.Stream), "read the step's result");
        Check(cuMemsetD32Async(_buffers.Loss, 0, 1, _device.Stream), "clear the loss");
        _device.Synchronize();
        var result = (float*)(_hostScalars + StepScalars.ResultOffset);
        return new StepResult(result[0], result[1], Skipped: result[3] == 0.0f);
    }

    private sealed class ParameterState(FusedEngine engine, ParameterLayout.Entry entry) : IParameterState
    {
        private const int ChunkElements = 1 << 22;

        public string Name => entry.Name;
        public IReadOnlyList<long> Shape => entry.Shape;

        public void Read(StateKind kind, Span<float> destination)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, entry.Count);
            if (kind != StateKind.Weight)
            {
                engine._device.Download(destination, Address(kind));
                return;
            }
            var high = new ushort[Math.Min(ChunkElements, destination.Length)];
            var low = new short[high.Length];
            for (var start = 0; start < destination.Length; start += ChunkElements)
            {
                var count = Math.Min(ChunkElements, destination.Length - start);
                engine._device.Download(high.AsSpan(0, count), engine._buffers.WeightsHigh + (nint)(entry.Offset + start) * 2);
                engine._device.Download(low.AsSpan(0, count), engine._buffers.WeightsLow + (nint)(entry.Offset + start) * 2);
                for (var i = 0; i < count; i++) destination[start + i] = MasterWeight.Join(high[i], low[i]);
            }
        }

        public void Write(StateKind kind, ReadOnlySpan<float> source)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(source.Length, entry.Count);
            if (kind != StateKind.Weight)
            {
                engine._device.Upload(Address(kind), source);
                return;
            }
            engine._weightsChanged = true;
            var high = new ushort[Math.Min(ChunkElements, source.Length)];
            var low = new short[high.Length];
            for (var start = 0; start < source.Length; start += ChunkElements)
            {
                var count = Math.Min(ChunkElements, source.Length - start);
                for (var i = 0; i < count; i++) (high[i], low[i]) = MasterWeight.Split(source[start + i]);
                engine._device.Upload<ushort>(engine._buffers.WeightsHigh + (nint)(entry.Offset + start) * 2, high.AsSpan(0, count));
                engine._device.Upload<short>(engine._buffers.WeightsLow + (nint)(entry.Offset + start) * 2, low.AsSpan(0, count));
            }
        }

        private nint Address(StateKind kind) => (kind switch
        {
            StateKind.FirstMoment => engine._buffers.FirstMoment,
            StateKind.SecondMoment => engine._buffers.SecondMoment,
            StateKind.Gradient => engine._buffers.Gradients,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        }) + (nint)entry.Offset * 4;
    }

    public void Dispose()
    {
        _device.Synchronize();
        foreach (var graph in new[] { _trainGraph, _evaluateGraph, _updateGraph })
            if (graph != 0) _ = cuGraphExecDestroy(graph);
        foreach (var state in _states) _attention.Release(state);
        _attention.Dispose();
        _products.Dispose();
        _kernels.Dispose();
        _device.Dispose();
    }
}
