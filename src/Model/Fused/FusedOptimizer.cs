using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Optimizers;

namespace Streaming.Model.Fused;

/// <summary>
/// The optimiser step on the flat buffers: which kernels run on which part of them, in which order. Nothing waits for the host, so that
/// the same calls run eagerly, timed, or into a CUDA graph.
/// </summary>
internal sealed class FusedOptimizer
{
    private const int Block = 256, WarpsPerBlock = Block / 32, NormBlock = 512;

    private readonly ParameterLayout _layout;
    private readonly OptimizerOptions _options;
    private readonly FlatBuffers _buffers;
    private readonly IKernelQueue _kernels;
    private readonly int _blocks, _growthInterval;
    private readonly MuonPlan? _muon;
    private readonly nint _scratch, _matrices;
    private readonly IMuonProducts? _products;

    /// <param name="scratch">For Muon: memory of <see cref="ScratchBytes"/>, free during the step.</param>
    /// <param name="scratchBytes">Its size.</param>
    /// <param name="products">For Muon.</param>
    /// <param name="scalesLoss">The loss scale follows what overflows (fp16).</param>
    public FusedOptimizer(ParameterLayout layout, OptimizerOptions options, FlatBuffers buffers, IDeviceMemory device, IKernelQueue kernels,
        nint scratch, long scratchBytes, IMuonProducts? products, bool scalesLoss)
    {
        (_layout, _options, _buffers, _kernels, _scratch, _products) = (layout, options, buffers, kernels, scratch, products);
        _blocks = device.Multiprocessors * 8;
        _growthInterval = scalesLoss ? LossScaling.GrowthInterval : 0;
        if (buffers.Moments.Plan.Ranges.FirstOrDefault(range => range.Rule == UpdateRule.Muon) is not { } range) return; // nothing else needs scratch
        _muon = new MuonPlan(layout, range, scratchBytes);
        _matrices = device.Allocate((long)_muon.Matrices.Length * 32, "Muon's matrices");
        device.Upload<MuonMatrix>(_matrices, _muon.Matrices);
    }

    /// <summary>Memory to lend to the step, where <paramref name="available"/> bytes are there anyway.</summary>
    public static long ScratchBytes(ParameterLayout layout, OptimizerKind kind, long available) =>
        new MomentPlan(layout, kind).Ranges.FirstOrDefault(range => range.Rule == UpdateRule.Muon) is { } range
            ? new MuonPlan(layout, range, available).Bytes : 0;

    /// <summary>Queues what the step needs of the host: rates and corrections.</summary>
    /// <param name="learningRate">Of the step.</param>
    /// <param name="step">Its number; the first is 1.</param>
    public void QueueBegin(double learningRate, long step) => _kernels.Launch("begin_step", 1, 1, _buffers.Scalars, (float)learningRate,
        (float)(1.0 - Math.Pow(_options.Beta1, step)), (float)Math.Sqrt(1.0 - Math.Pow(_options.Beta2, step)), (float)_options.MaxGradientNorm, (int)step);

    /// <summary>Norm, clipping, loss scale, update of all weights; the gradient is zero afterwards.</summary>
    /// <param name="lap">Takes the name of what was queued since it was called before.</param>
    public void Queue(Action<string> lap)
    {
        QueueNorm(lap);
        foreach (var range in _buffers.Moments.Plan.Ranges)
        {
            if (range.Rule == UpdateRule.Muon)
            {
                foreach (var batch in _muon!.Batches) Muon(batch, range, lap);
                continue;
            }
            QueueUpdate(_kernels, range, range.Begin, range.Count, _buffers.Resident(range));
            lap(range.Rule == UpdateRule.AdamW8Bit ? "adamw, 8 bits" : "adamw");
        }
    }

    /// <summary>The norm of a gradient that is on the device as a whole; what clipping leaves of it, and the next loss scale.</summary>
    /// <param name="lap">Takes the name of what was queued.</param>
    public void QueueNorm(Action<string> lap)
    {
        var partials = (int)Math.Clamp(_layout.Count / 4 / NormBlock, 1, FlatBuffers.NormSumBlocks);
        _kernels.Launch("sum_of_squares", partials, NormBlock, _buffers.NormSums, _buffers.Gradient(0), _layout.Count);
        QueueClipping(partials, lap);
    }

    /// <summary>What clipping leaves of a gradient whose sums of squares are there, and the next loss scale.</summary>
    /// <param name="partials">How many sums there are.</param>
    /// <param name="lap">Takes the name of what was queued.</param>
    public void QueueClipping(int partials, Action<string> lap)
    {
        _kernels.Launch("clip_by_norm", 1, 1024, _buffers.Scalars, _buffers.NormSums, partials, _growthInterval);
        lap("gradient norm");
    }

    /// <summary>AdamW on a part of one range, wherever its state lies; cutting a range into parts changes no bit of the result.</summary>
    /// <param name="kernels">Where it runs.</param>
    /// <param name="range">The range: AdamW's, with moments of 8 or 32 bits.</param>
    /// <param name="begin">First element in the flat buffers; from the range's start on a multiple of 256.</param>
    /// <param name="count">How many.</param>
    /// <param name="at">Device addresses of their state.</param>
    public void QueueUpdate(IKernelQueue kernels, MomentRange range, long begin, long count, in StateAddresses at)
    {
        if (range.Rule == UpdateRule.AdamW8Bit)
        {
            kernels.Launch("adamw_8bit", BlocksFor(count / BlockQuantization.BlockLength, WarpsPerBlock), Block, at.High, at.Low, at.Gradient,
                at.First, at.Second, at.FirstScales, at.SecondScales, _buffers.Moments.CodeValues, _buffers.Scalars, count, begin / 8,
                FirstShare, SecondKept, SecondShare, (float)_options.Epsilon, (float)_options.WeightDecay);
            return;
        }
        var decayed = Math.Clamp((_options.Decay == DecayTarget.All ? _layout.Count : _layout.Norms) - begin, 0, count);
        kernels.Launch("adamw", BlocksFor(count / 4, Block), Block, at.High, at.Low, at.Gradient, at.First, at.Second, _buffers.Scalars, count, decayed,
            FirstShare, SecondKept, SecondShare, (float)_options.Epsilon, (float)_options.WeightDecay);
    }

    private void Muon(MuonPlan.Batch batch, MomentRange range, Action<string> lap)
    {
        nint momenta = _buffers.Moments.Base + (nint)range.First, matrices = _matrices + batch.First * 32, partials = _scratch + (nint)batch.Partials;
        nint x = _scratch + (nint)batch.X, y = _scratch + (nint)batch.Y, gram = _scratch + (nint)batch.Gram, polynomial = _scratch + (nint)batch.Polynomial;
        _kernels.Launch("muon_momentum", (MuonPlan.Shares, batch.Count), (Block, 1), momenta, _buffers.Gradient(0), partials, matrices, _buffers.Scalars,
            Optimizers.Muon.Momentum);
        _kernels.Launch("muon_normalize", (batch.Tiles, batch.Count), (32, 8), x, momenta, _buffers.Gradient(0), partials, MuonPlan.Shares, matrices,
            _buffers.Scalars, Optimizers.Muon.Momentum);
        lap("muon momentum");
        var (linear, cubic, quintic) = Optimizers.Muon.Coefficients;
        for (var i = 0; i < Optimizers.Muon.Iterations; i++, (x, y) = (y, x))
        {
            _products!.Gram(gram, x, batch.Rows, batch.Columns, batch.Count);
            _products.Polynomial(polynomial, gram, cubic, quintic, batch.Rows, batch.Count);
            _products.Combine(y, polynomial, x, linear, batch.Rows, batch.Columns, batch.Count);
        }
        lap("muon products");
        _kernels.Launch("muon_update", (batch.Tiles, batch.Count), (32, 8), _buffers.High(0), _buffers.Low(0), _buffers.Gradient(0), x, matrices,
            _buffers.Scalars, (float)_options.WeightDecay);
        lap("muon update");
    }

    // PyTorch rounds each of these to float32 by itself, so that the corrections of bias, made of the exact betas, fit.
    private float FirstShare => (float)(1 - _options.Beta1);
    private float SecondKept => (float)_options.Beta2;
    private float SecondShare => (float)(1 - _options.Beta2);

    private int BlocksFor(long items, int itemsPerBlock) => (int)Math.Clamp((items + itemsPerBlock - 1) / itemsPerBlock, 1, _blocks);
}

/// <summary>Device addresses of the state of a part of the parameters; scales are 0 where moments have 32 bits.</summary>
internal readonly record struct StateAddresses(nint High, nint Low, nint Gradient, nint First, nint Second, nint FirstScales, nint SecondScales);
