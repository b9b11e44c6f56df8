using Streaming.Model.Adapters;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;
using static Streaming.Model.Fused.Cuda.CudaDriver;
using CudaDevice = Streaming.Model.Fused.Cuda.CudaDevice;

namespace Streaming.Model.Fused;

/// <summary>
/// Mistral trained on one CUDA GPU without autograd: 16-bit products with float32 accumulation, float32 master weights, gradients and
/// moments in flat buffers, activations in one arena, the micro-step and the optimiser step replayed as CUDA graphs.
/// </summary>
public sealed unsafe partial class FusedEngine : ITrainingEngine
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
    private readonly nint _hostScalars, _activationHome, _frozenHome;
    private readonly long _memoryBefore, _available;
    private readonly MemoryNeeds _needs;
    private readonly HostState? _host;
    private readonly Offloading? _offload;
    private readonly CudaLanes? _passLanes;
    private HostMemory? _hostMemory;
    private CudaGraph? _updateGraph;
    private bool _weightsChanged = true, _scalesRestored;
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private LossScaling? _lossScale;
    private Task<FusedSnapshot?>? _nextSnapshot;
    private FusedSnapshot? _capture;
    private HomeSnapshot? _homeCapture;

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

    public void Accumulate(MicroBatch batch, int microBatches)
    {
        RequireOwnThread();
        _offload?.BeforePass();
        Upload(batch, microBatches);
        if (_weightsChanged) Calibrate();
        _graphs.Train(isFirst: !_buffers.Flat.HasGradient);
        _buffers.Flat.HasGradient = true;
        _input.Release();
    }

    public StepResult Update(double learningRate)
    {
        RequireOwnThread();
        _capture?.Settle();
        _capture = null;
        _homeCapture?.Settle();
        _offload?.BeforeUpdate();
        _update.QueueBegin(learningRate, Step + 1);
        if (_offload is null) _updateGraph!.Launch();
        else QueueUpdate();
        _buffers.Flat.HasGradient = false;
        _buffers.Flat.Moments.Updated();
        var scalars = _offload is null ? ReadScalars() : AwaitScalars(_offload);
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
        RequireOwnThread();
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

    // libtorch's current stream is the thread's: from another one attention would run beside the recorded passes and not in them.
    private void RequireOwnThread()
    {
        if (Environment.CurrentManagedThreadId != _thread)
            throw new InvalidOperationException($"the engine was made on thread {_thread} and is called on thread {Environment.CurrentManagedThreadId}: one thread makes and calls it");
    }

    private void QueueUpdate()
    {
        if (_offload is null) _update.Queue(_timer.Lap);
        else _offload.QueueUpdate(_timer.Lap, QueueScalars);
        _passes.RoundWeights();
    }

    private void Upload(MicroBatch batch, int microBatches) => _graphs.MakeRoom(_input.Upload(batch, microBatches));

    private void QueueScalars()
    {
        Check(cuMemcpyDtoHAsync_v2(_hostScalars, _buffers.Flat.Scalars, StepScalars.Bytes, _device.Stream), "read the step's result");
        Check(cuMemsetD32Async(_buffers.Loss, 0, 1, _device.Stream), "clear the loss");
    }

    private StepScalars ReadScalars()
    {
        QueueScalars();
        _device.Synchronize();
        return *(StepScalars*)_hostScalars;
    }

    private StepScalars AwaitScalars(Offloading offload)
    {
        offload.Update.FinishNorm();
        return *(StepScalars*)_hostScalars;
    }

    public void Dispose()
    {
        _capture?.Settle();
        _homeCapture?.Settle();
        _device.Synchronize();
        _graphs.Dispose();
        _offload?.Dispose();
        _passLanes?.Dispose();
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
