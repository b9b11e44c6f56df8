using Streaming.Model.Adapters;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Adapters;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;
using Streaming.Model.Libtorch;
using Streaming.Model.Measurement;
using Streaming.Model.Optimizers;
using Streaming.Model.Parameters;
using static Streaming.Model.Fused.Cuda.CudaDriver;
using CudaDevice = Streaming.Model.Fused.Cuda.CudaDevice;

namespace Streaming.Model.Fused;

/// <summary>
/// Mistral trained on one CUDA GPU without autograd: 16-bit products with float32 accumulation, float32 master weights, gradients and
/// moments in flat buffers, activations in one arena, the micro-step and the optimiser step replayed as CUDA graphs.
/// </summary>
public sealed unsafe class FusedEngine : ITrainingEngine
{
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
    private readonly InputStaging _input;
    private readonly PassGraphs _graphs;
    private readonly nint _hostScalars, _activationHome;
    private readonly long _memoryBefore, _available;
    private readonly MemoryNeeds _needs;
    private readonly HostState? _host;
    private readonly Offloading? _offload;
    private readonly CudaLanes? _activationLanes;
    private HostMemory? _hostMemory;
    private CudaGraph? _updateGraph;
    private bool _weightsChanged = true, _scalesRestored;
    private LossScaling? _lossScale;
    private Task<FusedSnapshot?>? _nextSnapshot;
    private FusedSnapshot? _capture;
    private HomeSnapshot? _homeCapture;

    /// <summary>An engine with the weights of <paramref name="weights"/>.</summary>
    /// <exception cref="NotSupportedException">The model's shape or the GPU is not one the kernels compute.</exception>
    /// <exception cref="OutOfDeviceMemoryException">The micro-batch does not fit.</exception>
    public static FusedEngine Create(MistralConfig model, OptimizerOptions optimizer, FusedEngineOptions options, IWeightSource weights)
    {
        using var prepared = new PreparedWeights(model, weights, options.Precision == Precision.Float16, isFrozen: options.Adapters is not null);
        return new FusedEngine(model, optimizer, options, prepared);
    }

    /// <param name="model">The model's shape.</param>
    /// <param name="optimizer">How weights are updated.</param>
    /// <param name="options">What the engine is built for.</param>
    /// <param name="weights">The first weights, of the same model; not needed afterwards.</param>
    /// <exception cref="NotSupportedException">The model's shape or the GPU is not one the kernels compute.</exception>
    /// <exception cref="OutOfDeviceMemoryException">The micro-batch does not fit.</exception>
    public FusedEngine(MistralConfig model, OptimizerOptions optimizer, FusedEngineOptions options, PreparedWeights weights)
    {
        if (weights.IsHalfPrecision != (options.Precision == Precision.Float16))
            throw new ArgumentException("the weights were prepared for another precision", nameof(weights));
        LibtorchRuntime.Load();
        (_optimizer, _options) = (optimizer.Kind, options);
        _shape = FusedShape.From(model);
        _layout = new ParameterLayout(_shape);
        using (StartTrace.Phase("context")) _device = new CudaDevice(options.Device);
        if (_device.ComputeCapability.Major < 8)
            throw new NotSupportedException($"the fused engine computes in bf16, which {_device.Name} (compute capability {_device.ComputeCapability.Major}.{_device.ComputeCapability.Minor}) does not have: set torch.engine = reference");
        if (options.Precision == Precision.Float8 && (_device.ComputeCapability.Major, _device.ComputeCapability.Minor).CompareTo((8, 9)) < 0)
            throw new NotSupportedException($"torch.precision = fp8 needs compute capability 8.9 or more, {_device.Name} has {_device.ComputeCapability.Major}.{_device.ComputeCapability.Minor}: set torch.precision = bf16");
        (_memoryBefore, var total) = CudaDevice.Memory();
        _available = total - _memoryBefore;
        _needs = new MemoryNeeds(_shape, _layout, _optimizer, options.Precision, options.Tokens, _device.Multiprocessors, options.WideResidual, options.Offload, options.Recompute, options.Adapters?.Lora);
        if (options.Adapters is { Lora.Dropout: > 0 and var dropout })
            throw new NotSupportedException(FormattableString.Invariant($"the fused engine trains adapters without dropout, and training.lora.dropout is {dropout}: set it to 0, or torch.engine = reference"));
        Offloading.Require(options, _optimizer);
        var window = model.SlidingWindow is { } width && width < options.Tokens;
        var half = options.Precision == Precision.Float16;
        using (StartTrace.Phase("libtorch on the GPU"))
            _attention = new LibtorchAttention(_device, _shape, half, options.Rows, options.Tokens,
                window || options.Deterministic || _device.ComputeCapability.Major < 9 ? AttentionKernel.Flash2 : AttentionKernel.Cudnn, options.Deterministic);
        using (StartTrace.Phase("kernels"))
            _kernels = new KernelModule(_device,
                KernelCompiler.Compile(KernelSource.Text, KernelSource.Macros(_shape, half), _device.ComputeCapability, options.KernelCache));
        _products = new MatrixProducts(_device, half ? CublasLt.Float16 : CublasLt.BFloat16, options.Deterministic, options.KernelCache);
        using (StartTrace.Phase("memory"))
        {
            _host = TakeHostMemory(weights);
            _buffers = AllocateBuffers(weights);
            if (options.Recompute == Recomputation.Host) _activationHome = TakeActivationMemory(weights);
        }
        _timer = new StepTimer(_device);
        if (half && optimizer.Kind == OptimizerKind.Muon)
            _muonProducts = new MatrixProducts(_device, CublasLt.BFloat16, options.Deterministic, options.KernelCache); // Muon's iteration needs bf16's range
        _update = new FusedOptimizer(_buffers.Adapters?.Parameters ?? _layout, optimizer, _buffers.Flat, _device, _kernels, _buffers.Arena, _buffers.ArenaBytes,
            _muonProducts ?? _products, scalesLoss: half);
        if (_host is not null) _offload = new Offloading(_device, _kernels, _layout, _buffers, _update, options.Precision == Precision.Float8);
        if (_offload is null && options.Recompute == Recomputation.Host) _activationLanes = new CudaLanes(_device, _kernels);
        _passes = new FusedPasses(_shape, _layout, _buffers.Plan, _buffers, _kernels, _products, _attention, _timer, NewResidency(), NewAdapterPasses());
        _input = new InputStaging(_device, _buffers, model);
        _graphs = new PassGraphs(_device, _shape, _buffers, _passes, _attention, _offload?.Layers);
        _hostScalars = _device.AllocatePinned(StepScalars.Bytes);
        Parameters = [.. TrainedParameters()];
        try
        {
            Start(weights);
        }
        catch (Exception exception)
        {
            weights.Cancel();
            Abandon();
            // libtorch does not say why it failed.
            if (exception is CudaException { IsOutOfMemory: true } || _needs.Bytes(options.Rows) > _available) throw OutOfMemory(exception);
            throw;
        }
        if (half) LossScale = LossScaling.Initial;
        if (Adapters is not null) WriteFirstAdapters(new InitialAdapters(Adapters.Seed));
    }

    public MistralConfig Model => _shape.Model;
    public long ParameterCount => _layout.ParameterCount;
    public AdapterSet? Adapters => _options.Adapters;
    public long Step { get; set; }
    public IReadOnlyList<IParameterState> Parameters { get; }
    public string Description => $"fused, {_options.Describe(_optimizer)}, {_device.Name}";

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

    public float[]? Magnitudes
    {
        get => _buffers.EightBits?.Read(_device);
        set => _scalesRestored = value is not null && _buffers.EightBits is { } eight && eight.TryWrite(_device, value);
    }

    /// <summary>Bytes of the card that came into use since the engine was built, libtorch's and cuBLAS's included.</summary>
    public long DeviceBytes => CudaDevice.Memory().Used - _memoryBefore;

    public void Accumulate(MicroBatch batch, int microBatches)
    {
        _offload?.BeforePass();
        Upload(batch, microBatches);
        if (_weightsChanged) Calibrate();
        _graphs.Train(isFirst: !_buffers.Flat.HasGradient);
        _buffers.Flat.HasGradient = true;
        _input.Release();
    }

    public StepResult Update(double learningRate)
    {
        _capture?.Settle();
        _capture = null;
        _homeCapture?.Settle();
        _offload?.BeforeUpdate();
        UploadScalars(_update.Scalars(learningRate, Step + 1));
        if (_offload is null) _updateGraph!.Launch();
        else QueueUpdate();
        _buffers.Flat.HasGradient = false;
        _buffers.Flat.Moments.Updated();
        var scalars = ReadScalars();
        var finite = scalars.Finite != 0;
        if (finite) Step++;
        if (_lossScale is not null) _lossScale = new(scalars.LossScale, (int)scalars.GoodSteps);
        return new StepResult(scalars.Loss, scalars.Norm, Skipped: !finite);
    }

    public void PrepareCapture()
    {
        // Adapters are little: they are copied at once.
        if (_offload is null && Adapters is null) _nextSnapshot ??= Task.Run(() => FusedSnapshot.TryCreate(this, _device, _buffers.Flat, _layout));
    }

    public EngineSnapshot Capture(EngineSnapshot? reuse = null)
    {
        if (_offload is not null)
        {
            _homeCapture ??= new HomeSnapshot(Model, Parameters.Select(parameter => parameter.Name), _buffers.Flat, _layout, () =>
            {
                _device.Use();
                _offload.Update.Finish();
            }, HostLimits.Available);
            _homeCapture.Begin(Step, _lossScale);
            _homeCapture.Magnitudes = Magnitudes;
            return ReferenceEquals(reuse, _homeCapture) ? _homeCapture : _homeCapture.Hold();
        }
        if (Adapters is not null) return EngineSnapshot.Take(this, reuse);
        _capture?.Settle();
        PrepareCapture();
        var snapshot = reuse as FusedSnapshot ?? _nextSnapshot!.GetAwaiter().GetResult();
        if (snapshot is null) return EngineSnapshot.Take(this, reuse); // no page-locked memory
        snapshot.Begin(this);
        snapshot.Magnitudes = Magnitudes;
        return _capture = snapshot;
    }

    public double Evaluate(MicroBatch batch)
    {
        _offload?.BeforePass();
        var pending = ReadScalars().Loss; // of a step under way
        Upload(batch, microBatches: 1);
        if (_weightsChanged) Calibrate();
        _graphs.Evaluate();
        _input.Release();
        var loss = ReadScalars().Loss;
        Check(cuMemsetD32Async(_buffers.Loss, BitConverter.SingleToUInt32Bits(pending), 1, _device.Stream), "go on with the step's loss");
        return loss;
    }

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
        UploadScalars(_update.Scalars(learningRate: 0, Step + 1));
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
            UploadScalars(_update.Scalars(learningRate: 0, Step + 1));
            QueueUpdate();
            _buffers.Flat.HasGradient = false;
            _buffers.Flat.Moments.Updated();
        }
        var spans = _offload.Lanes.StopTrace();
        _ = Update(learningRate: 0);
        return spans;
    }

    private IResidency NewResidency()
    {
        var residency = _offload?.Residency ?? new AllResident();
        return _options.Recompute != Recomputation.Host ? residency
            : new StreamedActivations(residency, _offload?.Lanes ?? _activationLanes!, _buffers.Plan, _buffers.Arena, _activationHome, _shape.Layers);
    }

    private AdapterPasses? NewAdapterPasses() => _buffers.Adapters is null ? null : new(_buffers.Adapters, _buffers.Flat, _products, _buffers.Positions,
        _buffers.Arena + (nint)_buffers.Plan.Reduced, _buffers.Arena + (nint)_buffers.Plan.DReduced, _timer.Lap);

    private IEnumerable<IParameterState> TrainedParameters()
    {
        var adapters = _buffers.Adapters;
        var entries = (adapters?.Parameters ?? _layout).Entries.ToDictionary(entry => entry.Name);
        foreach (var parameter in adapters is null ? ModelParameter.Of(Model) : AdaptedMatrix.ParametersOf(Model, adapters.Lora))
        {
            var state = new FusedParameter(_buffers.Flat, entries[parameter.Name], () => (_weightsChanged, _scalesRestored) = (true, false));
            yield return adapters?.IsTurned(parameter) == true ? new TurnedParameter(state) : state;
        }
    }

    // Until here they were zero, whatever ran.
    private void WriteFirstAdapters(IWeightSource source)
    {
        var parameters = AdaptedMatrix.ParametersOf(Model, Adapters!.Lora);
        for (var i = 0; i < parameters.Count; i++)
        {
            var values = new float[parameters[i].Count];
            source.Read(parameters[i], values);
            Parameters[i].Write(StateKind.Weight, values);
        }
    }

    private FusedBuffers AllocateBuffers(PreparedWeights weights)
    {
        try
        {
            return new FusedBuffers(_device, _shape, _layout, _optimizer, _options, _host);
        }
        catch (Exception exception) when (exception is CudaException { IsOutOfMemory: true } or HostMemoryException)
        {
            weights.Cancel();
            Abandon();
            if (exception is CudaException) throw OutOfMemory(exception);
            throw;
        }
    }

    // The first weights are made where the host's state will be.
    private HostState? TakeHostMemory(PreparedWeights weights)
    {
        if (_options.Offload == OffloadLevel.None) return null;
        _hostMemory = new HostMemory(new CudaPageLocking(_device));
        try
        {
            var (high, low) = weights.TakeOver();
            return new HostState(_options.Offload, _hostMemory, _layout, high, low, weights.IsHalfPrecision);
        }
        catch (HostMemoryException)
        {
            weights.Cancel();
            Abandon();
            throw;
        }
    }

    private nint TakeActivationMemory(PreparedWeights weights)
    {
        _hostMemory ??= new HostMemory(new CudaPageLocking(_device));
        try
        {
            return _hostMemory.Allocate(_needs.HostActivationBytes(_options.Rows), "what layers keep");
        }
        catch (HostMemoryException)
        {
            weights.Cancel();
            Abandon();
            throw;
        }
    }

    // What was taken before a failure, so that another engine has the GPU for itself.
    private void Abandon()
    {
        _offload?.Dispose();
        _activationLanes?.Dispose();
        _attention.Dispose();
        _device.Dispose();
        _hostMemory?.Dispose();
    }

    // Where the card has room and the driver refuses it all the same, it is the process that may not have more.
    private OutOfDeviceMemoryException OutOfMemory(Exception cause) => new(_options.Rows, _needs.Bytes(_options.Rows), _available,
        _needs.Bytes(_options.Rows) > _available || HostLimits.AddressSpace() is not { } limit ? _needs.Remedy(_available, _options.Rows)
            : $"the driver refuses it within the process's address space of {HostMemoryException.Gibibytes(limit)}, raise ulimit -v", cause);

    // The scales of 8-bit tensors follow what was seen. Before anything was, the micro-batch at hand runs until they have settled
    // (what one layer saturates hides the next one's range), and its gradient is discarded.
    private void Calibrate()
    {
        const int rounds = 4;
        _weightsChanged = false;
        if (_buffers.EightBits is not { } eight) return;
        if (!_scalesRestored) eight.Reset(_device);
        _passes.RoundWeights();
        if (_scalesRestored) return;
        for (var i = 0; i < rounds; i++) _graphs.Train(isFirst: false);
        _buffers.Flat.ClearGradients();
        Check(cuMemsetD32Async(_buffers.Loss, 0, 1, _device.Stream), "clear the loss");
    }

    // A first eager run lets the libraries plan and allocate, while the weights arrive; then the same calls are recorded.
    private void Start(PreparedWeights weights)
    {
        _kernels.Launch("fill_noise", _device.Multiprocessors * 8, 256, _buffers.Arena, _buffers.Plan.Bytes / 4);
        if (_offload is null) WarmUpdate(); // in host memory there are weights already that it could change
        var upload = Task.Run(() => Upload(weights));
        try
        {
            var tokens = new int[_buffers.Positions];
            for (var i = 0; i < tokens.Length; i++) tokens[i] = i % _shape.Vocabulary;
            Upload(new MicroBatch(tokens, _options.Rows), microBatches: 1);
            _graphs.Start(warmed: () =>
            {
                _input.Release();
                _products.SavePlans();
                _muonProducts?.SavePlans();
            });
            if (_offload is null) _updateGraph = CudaGraph.Record(_device, "the optimiser step", QueueUpdate);
        }
        finally
        {
            using (StartTrace.Phase("waiting for weights")) upload.GetAwaiter().GetResult();
        }
        _passes.RoundWeights();
        _buffers.Flat.ClearGradients();
        if (_offload is null) _buffers.Flat.Moments.Clear();
        _buffers.Flat.ClearScalars();
        _device.Synchronize();
    }

    // Loads the update's kernels and plans its products, before anything is there that it could change.
    private void WarmUpdate()
    {
        UploadScalars(new StepScalars { FirstCorrection = 1, SecondCorrection = 1 });
        QueueUpdate();
        _device.Synchronize();
    }

    // On a thread of its own: pageable memory goes up at the speed of a copy on the host.
    private void Upload(PreparedWeights weights)
    {
        (nint High, nint Low) halves;
        using (StartTrace.Phase("weights")) halves = weights.Wait();
        using (StartTrace.Phase("weights to the GPU"))
        {
            _device.Use();
            if (_offload is not null) _buffers.Flat.UploadResident(Copy);
            else if (_buffers.Frozen is { } frozen) frozen.Upload(halves.High, halves.Low, Copy);
            else
            {
                Copy(_buffers.Flat.High(0), halves.High, _layout.Count * sizeof(ushort));
                Copy(_buffers.Flat.Low(0), halves.Low, _layout.Count * _buffers.Flat.LowBytes);
            }
            Check(cuStreamSynchronize(0), "upload the weights"); // the copies return once the last piece is on its way
        }
        _weightsChanged = true;

        static void Copy(nint device, nint host, long bytes) => Check(cuMemcpyHtoD_v2(device, host, (nuint)bytes), "upload the weights");
    }

    private void QueueUpdate()
    {
        if (_offload is null) _update.Queue(_timer.Lap);
        else _offload.QueueUpdate(_timer.Lap);
        _passes.RoundWeights();
    }

    private void Upload(MicroBatch batch, int microBatches)
    {
        var (documents, predicted) = _input.Upload(batch);
        _graphs.MakeRoom(documents);
        // A token's weight in the mean loss and its gradient; where nothing is predicted there is nothing to weigh.
        var weight = predicted == 0 ? 0.0f : 1.0f / ((float)predicted * microBatches);
        *_input.Scalar = weight;
        Check(cuMemcpyHtoDAsync_v2(_buffers.LossWeight, (nint)_input.Scalar, sizeof(float), _device.Stream), "upload the loss's weight");
    }

    private void UploadScalars(StepScalars scalars)
    {
        *(StepScalars*)_hostScalars = scalars;
        Check(cuMemcpyHtoDAsync_v2(_buffers.Flat.Scalars + StepScalars.UpdateOffset, _hostScalars + StepScalars.UpdateOffset, StepScalars.UpdateBytes, _device.Stream), "upload scalars");
    }

    private StepScalars ReadScalars()
    {
        Check(cuMemcpyDtoHAsync_v2(_hostScalars, _buffers.Flat.Scalars, StepScalars.Bytes, _device.Stream), "read the step's result");
        Check(cuMemsetD32Async(_buffers.Loss, 0, 1, _device.Stream), "clear the loss");
        _device.Synchronize();
        return *(StepScalars*)_hostScalars;
    }

    public void Dispose()
    {
        _capture?.Settle();
        _homeCapture?.Settle();
        _device.Synchronize();
        _graphs.Dispose();
        _offload?.Dispose();
        _activationLanes?.Dispose();
        _updateGraph?.Dispose();
        _attention.Dispose();
        _products.Dispose();
        _muonProducts?.Dispose();
        _kernels.Dispose();
        _device.Dispose();
        _homeCapture?.Release();
        _hostMemory?.Dispose();
    }
}
