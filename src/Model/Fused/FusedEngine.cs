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
/// <param name="Precision">bf16, fp16, or fp8, which needs compute capability 8.9.</param>
public sealed record FusedEngineOptions(int Rows, int Tokens, int Device, bool Deterministic, string KernelCache, Precision Precision = Precision.BFloat16);

/// <summary>
/// Mistral trained on one CUDA GPU without autograd: 16-bit products with float32 accumulation, float32 master weights, gradients and
/// moments in flat buffers, activations in one arena, the micro-step and the optimiser step replayed as CUDA graphs.
/// </summary>
public sealed unsafe class FusedEngine : ITrainingEngine
{
    private const int InputSlots = 4;

    private readonly OptimizerKind _optimizer;
    private readonly FusedEngineOptions _options;
    private readonly FusedShape _shape;
    private readonly ParameterLayout _layout;
    private readonly CudaDevice _device;
    private readonly KernelModule _kernels;
    private readonly MatrixProducts _products;
    private readonly LibtorchAttention _attention;
    private readonly FusedBuffers _buffers;
    private readonly FusedPasses _passes;
    private readonly FusedOptimizer _update;
    private readonly MatrixProducts? _muonProducts;
    private readonly StepTimer _timer;
    private readonly EmbeddingPlan _embedding;
    private readonly LibtorchAttention.State[] _states;
    private readonly nint[] _inputs = new nint[InputSlots], _inputEvents = new nint[InputSlots];
    private readonly nint _hostScalars;
    private readonly long _memoryBefore, _available;
    private readonly MemoryNeeds _needs;
    private nint _trainGraph, _evaluateGraph, _updateGraph;
    private int _slot;
    private bool _weightsChanged = true;
    private LossScaling? _lossScale;

    /// <exception cref="NotSupportedException">The model's shape or the GPU is not one the kernels compute.</exception>
    /// <exception cref="OutOfDeviceMemoryException">The micro-batch does not fit.</exception>
    public FusedEngine(MistralConfig model, OptimizerOptions optimizer, FusedEngineOptions options, IWeightSource weights)
    {
        LibtorchRuntime.Load();
        (_optimizer, _options) = (optimizer.Kind, options);
        _shape = FusedShape.From(model);
        _layout = new ParameterLayout(_shape);
        _device = new CudaDevice(options.Device);
        if (_device.ComputeCapability.Major < 8)
            throw new NotSupportedException($"the fused engine computes in bf16, which {_device.Name} (compute capability {_device.ComputeCapability.Major}.{_device.ComputeCapability.Minor}) does not have: set torch.engine = reference");
        if (options.Precision == Precision.Float8 && (_device.ComputeCapability.Major, _device.ComputeCapability.Minor).CompareTo((8, 9)) < 0)
            throw new NotSupportedException($"torch.precision = fp8 needs compute capability 8.9 or more, {_device.Name} has {_device.ComputeCapability.Major}.{_device.ComputeCapability.Minor}: set torch.precision = bf16");
        (_memoryBefore, var total) = CudaDevice.Memory();
        _available = total - _memoryBefore;
        _needs = new MemoryNeeds(_shape, _layout, _optimizer, options.Precision, options.Tokens, _device.Multiprocessors);
        var window = model.SlidingWindow is { } width && width < options.Tokens;
        var half = options.Precision == Precision.Float16;
        _attention = new LibtorchAttention(_device, _shape, half, options.Rows, options.Tokens,
            window || options.Deterministic || _device.ComputeCapability.Major < 9 ? AttentionKernel.Flash2 : AttentionKernel.Cudnn, options.Deterministic);
        _kernels = new KernelModule(_device,
            KernelCompiler.Compile(KernelSource.Text, KernelSource.Macros(_shape, half), _device.ComputeCapability, options.KernelCache));
        _products = new MatrixProducts(_device, half ? CublasLt.Float16 : CublasLt.BFloat16, options.Deterministic);
        _buffers = AllocateBuffers();
        _timer = new StepTimer(_device);
        _passes = new FusedPasses(_shape, _layout, _buffers.Plan, _buffers, _kernels, _products, _attention, _timer);
        if (half && optimizer.Kind == OptimizerKind.Muon)
            _muonProducts = new MatrixProducts(_device, CublasLt.BFloat16, options.Deterministic); // Muon's iteration needs bf16's range
        _update = new FusedOptimizer(_layout, optimizer, _buffers.Flat, _device, _kernels, _buffers.Arena, _buffers.ArenaBytes,
            _muonProducts ?? _products, scalesLoss: half);
        _embedding = new EmbeddingPlan(_shape.Vocabulary, _buffers.Positions);
        _states = new LibtorchAttention.State[_shape.Layers];
        for (var i = 0; i < InputSlots; i++)
        {
            _inputs[i] = _device.AllocatePinned(_buffers.Input.Bytes + 2 * sizeof(float));
            Check(cuEventCreate(out _inputEvents[i], 0), "create an event");
        }
        _hostScalars = _device.AllocatePinned(StepScalars.Bytes);
        var entries = _layout.Entries.ToDictionary(entry => entry.Name);
        Parameters = [.. ModelParameter.Of(model).Select(parameter => new FusedParameter(_device, _buffers.Flat, entries[parameter.Name], () => _weightsChanged = true))];
        try
        {
            Capture();
        }
        catch (Exception exception)
        {
            Abandon();
            // libtorch does not say why it failed.
            if (exception is CudaException { IsOutOfMemory: true } || _needs.Bytes(options.Rows) > _available) throw OutOfMemory(exception);
            throw;
        }
        Load(weights);
        if (half) LossScale = LossScaling.Initial;
    }

    public MistralConfig Model => _shape.Model;
    public long ParameterCount => _layout.ParameterCount;
    public long Step { get; set; }
    public IReadOnlyList<IParameterState> Parameters { get; }
    public string Description => $"fused, {PrecisionName} with float32 master weights, {OptimizerName}, {_device.Name}";

    public LossScaling? LossScale
    {
        get => _lossScale;
        set
        {
            if (value is not { } scaling || _options.Precision != Precision.Float16) return;
            _lossScale = scaling;
            _device.Upload<float>(_buffers.LossScale, [scaling.Scale]);
            _device.Upload<float>(_buffers.Flat.Scalars + StepScalars.GoodStepsOffset, [scaling.GoodSteps]);
        }
    }

    /// <summary>Bytes of the card that came into use since the engine was built, libtorch's and cuBLAS's included.</summary>
    public long DeviceBytes => CudaDevice.Memory().Used - _memoryBefore;

    public void Accumulate(ReadOnlySpan<int> tokens, int rows, int microBatches)
    {
        var predicted = Upload(tokens, rows);
        SetLossWeight(1.0f / ((float)predicted * microBatches));
        if (_weightsChanged) Calibrate();
        Check(cuGraphLaunch(_trainGraph, _device.Stream), "launch the micro-step");
        Check(cuEventRecord(_inputEvents[_slot], _device.Stream), "record");
    }

    public StepResult Update(double learningRate)
    {
        UploadScalars(learningRate);
        Check(cuGraphLaunch(_updateGraph, _device.Stream), "launch the optimiser step");
        _buffers.Flat.Moments.Updated();
        var scalars = ReadScalars();
        var finite = scalars.Finite != 0;
        if (finite) Step++;
        if (_lossScale is not null) _lossScale = new(scalars.LossScale, (int)scalars.GoodSteps);
        return new StepResult(scalars.Loss, scalars.Norm, Skipped: !finite);
    }

    public double Evaluate(ReadOnlySpan<int> tokens, int rows)
    {
        var predicted = Upload(tokens, rows);
        SetLossWeight(1.0f / predicted);
        if (_weightsChanged) Calibrate();
        Check(cuGraphLaunch(_evaluateGraph, _device.Stream), "launch the evaluation");
        Check(cuEventRecord(_inputEvents[_slot], _device.Stream), "record");
        return ReadScalars().Loss;
    }

    /// <summary>One micro-step and one optimiser step without graphs, timed operation by operation; the update uses a learning rate of 0.</summary>
    public IReadOnlyList<(string Name, double Milliseconds, int Calls)> Profile(ReadOnlySpan<int> tokens, int rows)
    {
        var predicted = Upload(tokens, rows);
        SetLossWeight(1.0f / predicted);
        var states = new LibtorchAttention.State[_shape.Layers];
        UploadScalars(learningRate: 0);
        _device.Synchronize();
        _timer.Start();
        _passes.Forward(states);
        _passes.Backward(states);
        QueueUpdate();
        _buffers.Flat.Moments.Updated();
        var table = _timer.Stop();
        foreach (var state in states) _attention.Release(state);
        _ = ReadScalars();
        return table;
    }

    private FusedBuffers AllocateBuffers()
    {
        try
        {
            return new FusedBuffers(_device, _shape, _layout, _optimizer, _options.Precision, _options.Rows, _options.Tokens);
        }
        catch (CudaException exception) when (exception.IsOutOfMemory)
        {
            Abandon();
            throw OutOfMemory(exception);
        }
    }

    // What was taken before a failure, so that another engine has the GPU for itself.
    private void Abandon()
    {
        _attention.Dispose();
        _device.Dispose();
    }

    private OutOfDeviceMemoryException OutOfMemory(Exception cause) =>
        new(_options.Rows, _needs.Bytes(_options.Rows), _available, _needs.Remedy(_available, _options.Rows), cause);

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
        _buffers.Flat.ClearGradients();
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
        _kernels.Launch("fill_noise", _device.Multiprocessors * 8, 256, _buffers.Arena, _buffers.Plan.Bytes / 4);
        var tokens = new int[_buffers.Positions];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = i % _shape.Vocabulary;
        _passes.RoundWeights();
        SetLossWeight(1.0f / Upload(tokens, _options.Rows));
        _passes.Forward(_states);
        _passes.Backward(_states);
        UploadScalars(learningRate: 0);
        QueueUpdate();
        foreach (var state in _states) _attention.Release(state);
        _buffers.Flat.ClearGradients();
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
        _buffers.Flat.Moments.Clear();
        _buffers.Flat.ClearScalars();
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
        _update.Queue(_timer.Lap);
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

    private void SetLossWeight(float weight)
    {
        var slot = (float*)(_inputs[_slot] + _buffers.Input.Bytes);
        *slot = weight;
        Check(cuMemcpyHtoDAsync_v2(_buffers.LossWeight, (nint)slot, sizeof(float), _device.Stream), "upload the loss's weight");
    }

    private void UploadScalars(double learningRate)
    {
        *(StepScalars*)_hostScalars = _update.Scalars(learningRate, Step + 1);
        Check(cuMemcpyHtoDAsync_v2(_buffers.Flat.Scalars + StepScalars.UpdateOffset, _hostScalars + StepScalars.UpdateOffset, StepScalars.UpdateBytes, _device.Stream), "upload scalars");
    }

    private StepScalars ReadScalars()
    {
        Check(cuMemcpyDtoHAsync_v2(_hostScalars, _buffers.Flat.Scalars, StepScalars.Bytes, _device.Stream), "read the step's result");
        Check(cuMemsetD32Async(_buffers.Loss, 0, 1, _device.Stream), "clear the loss");
        _device.Synchronize();
        return *(StepScalars*)_hostScalars;
    }

    private string PrecisionName => _options.Precision switch
    {
        Precision.Float8 => "fp8 and bf16",
        Precision.Float16 => "fp16",
        _ => "bf16",
    };

    private string OptimizerName => _optimizer switch
    {
        OptimizerKind.AdamW8Bit => "AdamW with moments of 8 bits",
        OptimizerKind.Muon => "Muon and AdamW",
        _ => "AdamW",
    };

    public void Dispose()
    {
        _device.Synchronize();
        foreach (var graph in new[] { _trainGraph, _evaluateGraph, _updateGraph })
            if (graph != 0) _ = cuGraphExecDestroy(graph);
        foreach (var state in _states) _attention.Release(state);
        _attention.Dispose();
        _products.Dispose();
        _muonProducts?.Dispose();
        _kernels.Dispose();
        _device.Dispose();
    }
}
