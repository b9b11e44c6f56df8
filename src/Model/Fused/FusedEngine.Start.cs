using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Adapters;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;
using Streaming.Model.Libtorch;
using Streaming.Model.Measurement;
using Streaming.Model.Parameters;
using static Streaming.Model.Fused.Cuda.CudaDriver;
using CudaDevice = Streaming.Model.Fused.Cuda.CudaDevice;

namespace Streaming.Model.Fused;

/// <summary>How an engine comes to be: its buffers, its first weights, the recorded passes, and what is said where memory does not suffice.</summary>
public sealed unsafe partial class FusedEngine
{
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
        _needs = new MemoryNeeds(_shape, _layout, _optimizer, options.Precision, options.Tokens, _device.Multiprocessors, options.WideResidual, options.Offload, options.Recompute, options.Adapters?.Lora, options.UpdateSlots);
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
            if (options.Adapters is null) _host = TakeHostMemory(weights);
            else if (options.Offload == OffloadLevel.Parameters) _frozenHome = TakeFrozenHome(weights);
            _buffers = AllocateBuffers(weights);
            if (options.Recompute == Recomputation.Host) _activationHome = TakeActivationMemory(weights);
        }
        _timer = new StepTimer(_device);
        if (half && optimizer.Kind == OptimizerKind.Muon)
            _muonProducts = new MatrixProducts(_device, CublasLt.BFloat16, options.Deterministic, options.KernelCache); // Muon's iteration needs bf16's range
        _update = new FusedOptimizer(_buffers.Adapters?.Parameters ?? _layout, optimizer, _buffers.Flat, _device, _kernels, _buffers.Arena, _buffers.ArenaBytes,
            _muonProducts ?? _products, scalesLoss: half);
        if (_host is not null) _offload = new Offloading(_device, _kernels, _layout, _buffers, _update, options.Precision == Precision.Float8, options.UpdateSlots);
        if (_offload is null && (_frozenHome != 0 || options.Recompute == Recomputation.Host)) _passLanes = new CudaLanes(_device, _kernels);
        _passes = new FusedPasses(_shape, _layout, _buffers.Plan, _buffers, _kernels, _products, _attention, _timer, NewResidency(), NewAdapterPasses());
        _input = new InputStaging(_device, _kernels, _buffers, model);
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

    private IResidency NewResidency()
    {
        var residency = _offload?.Residency
            ?? (_frozenHome == 0 ? new AllResident() : new StreamedWeights(_passLanes!, _layout, _buffers.Weights, element => _frozenHome + (nint)(element * sizeof(ushort))));
        return _options.Recompute != Recomputation.Host ? residency
            : new StreamedActivations(residency, _offload?.Lanes ?? _passLanes!, _buffers.Plan, _buffers.Arena, _activationHome, _shape.Layers);
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
            return new FusedBuffers(_device, _shape, _layout, _optimizer, _options, _host, _frozenHome);
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

    private nint TakeActivationMemory(PreparedWeights weights) => Take(weights, memory => memory.Allocate(_needs.HostActivationBytes(_options.Rows), "what layers keep"));

    private nint TakeFrozenHome(PreparedWeights weights) => Take(weights, memory => memory.Adopt(weights.TakeOverHigh()));

    private nint Take(PreparedWeights weights, Func<HostMemory, nint> take)
    {
        _hostMemory ??= new HostMemory(new CudaPageLocking(_device));
        try
        {
            return take(_hostMemory);
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
        _passLanes?.Dispose();
        _attention.Dispose();
        _device.Dispose();
        _hostMemory?.Dispose();
    }

    // Where the card has room and the driver refuses it all the same, it is the process that may not have more.
    private OutOfDeviceMemoryException OutOfMemory(Exception cause) => new(_options.Rows, _needs.Bytes(_options.Rows), _available,
        _needs.Bytes(_options.Rows) > _available || HostLimits.AddressSpace() is not { } limit ? _needs.Remedy(_available, _options.Rows)
            : $"the driver refuses it within the process's address space of {HostMemoryException.Gibibytes(limit)}, raise ulimit -v", cause);

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
        _update.QueueBegin(learningRate: 0, step: 1);
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
}
