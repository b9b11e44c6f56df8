using Streaming.Model.Adapters;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using TorchSharp;
using static Streaming.Model.Fused.Cuda.CudaDriver;
using CudaDevice = Streaming.Model.Fused.Cuda.CudaDevice;

namespace Streaming.Model.Generation.Cuda;

/// <summary>
/// The decoder on one CUDA GPU, in bf16 with float32 sums and a float32 residual stream. The step of a batch (one token for each text) is one CUDA graph;
/// up to eight texts are served by kernels that read each weight once, more by matrix products.
/// </summary>
public sealed unsafe class GpuDecoder : IGreedyDecoder, ILogitsInPlace
{
    private const int PassTokens = 1024, MinimumLogitRows = 64, FewestSlots = 8, MostSlots = 64;

    private readonly FusedShape _shape;
    private readonly CudaDevice _device;
    private readonly KernelModule[] _kernels;
    private readonly MatrixProducts _products;
    private readonly DecoderBuffers _buffers;
    private readonly DecoderPasses _passes;
    private readonly int[] _lengths;
    private readonly nint _hostRows, _hostLogits, _hostBest;
    private readonly Dictionary<int, CudaGraph> _logitSteps = [], _greedySteps = [];

    /// <summary>Opens a Hugging Face folder, or a checkpoint.</summary>
    /// <param name="folder">Holds <c>config.json</c> and the weights, whole or in shards.</param>
    /// <param name="slots">Sequences held at once; 0 takes up to 64, as far as their keys and values take a quarter of the memory that the weights leave free, and 8 in any case.</param>
    /// <param name="contextLength">Tokens of a sequence at most; the model's positions where that is fewer.</param>
    /// <param name="ordinal">GPU index.</param>
    /// <exception cref="ModelException">The folder holds no usable model, or it does not fit into the GPU; says why.</exception>
    /// <exception cref="NotSupportedException">The kernels do not compute this model, or not on this GPU.</exception>
    public static GpuDecoder Open(string folder, int slots, int contextLength, int ordinal = 0)
    {
        var model = ModelWeights.LoadConfig(folder);
        using var weights = ModelWeights.Open(model, folder);
        return Copy(model, weights, slots, contextLength, ordinal);
    }

    /// <summary>Copies weights from anywhere, a training engine say.</summary>
    public static GpuDecoder Copy(MistralConfig model, IWeightSource source, int slots, int contextLength, int ordinal = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slots);
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 1);
        contextLength = Math.Min(contextLength, model.MaxPositions);
        var shape = DecoderKernels.ShapeOf(model);
        using var weights = new PreparedWeights(model, source);
        LibtorchRuntime.Load();
        torch.InitializeDeviceType(DeviceType.CUDA); // maps cuBLASLt and NVRTC
        var device = new CudaDevice(ordinal);
        try
        {
            if (device.ComputeCapability.Major < 8)
                throw new NotSupportedException($"generation on a GPU computes in bf16, which {device.Name} (compute capability {device.ComputeCapability.Major}.{device.ComputeCapability.Minor}) does not have: use the CPU");
            if (slots == 0)
            {
                var (used, total) = CudaDevice.Memory();
                slots = SlotsWithin(total - used - weights.Count * sizeof(ushort), shape, contextLength);
            }
            return new GpuDecoder(device, shape, weights, slots, contextLength);
        }
        catch (CudaException exception) when (exception.IsOutOfMemory)
        {
            device.Dispose();
            throw new ModelException($"the model and {slots} texts of {contextLength} tokens do not fit into {device.Name}: lower the number of texts or the context length", exception);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>How many sequences to hold where nobody says.</summary>
    /// <param name="free">Bytes of device memory that the weights leave.</param>
    /// <param name="shape">The model's.</param>
    /// <param name="contextLength">Tokens of a sequence.</param>
    internal static int SlotsWithin(long free, FusedShape shape, int contextLength)
    {
        var slots = MostSlots;
        while (slots > FewestSlots && slots * DecoderBuffers.SlotBytes(shape, contextLength) > free / 4)
            slots /= 2;
        return slots;
    }

    private GpuDecoder(CudaDevice device, FusedShape shape, PreparedWeights weights, int slots, int contextLength)
    {
        (_device, _shape, Slots, ContextLength) = (device, shape, slots, contextLength);
        _lengths = new int[slots];
        var layout = new ParameterLayout(shape);
        var largestStep = DecoderPasses.SizeFor(slots);
        MaxTokensInPass = Math.Max(PassTokens, largestStep);
        _kernels = [.. DecoderKernels.Compile(shape, device.ComputeCapability, KernelCache.Folder).Select(image => new KernelModule(device, image))];
        _products = new MatrixProducts(device, CublasLt.BFloat16, deterministic: true, KernelCache.Folder);
        _buffers = new DecoderBuffers(device, shape, layout, slots, contextLength, MaxTokensInPass, Math.Max(MinimumLogitRows, largestStep));
        IReadOnlyList<IKernelQueue> few = device.ComputeCapability.Major >= 9 ? [.. _kernels.Select(kernels => new OverlappedKernels(device, kernels))] : _kernels;
        _passes = new DecoderPasses(shape, layout, _buffers, _kernels[0], few, _products);
        _hostRows = device.AllocatePinned((long)MaxTokensInPass * DecoderBuffers.RowIntegers * sizeof(int));
        _hostLogits = device.AllocatePinned((long)_buffers.LogitRows * shape.VocabularyPadded * sizeof(float));
        _hostBest = device.AllocatePinned((long)_buffers.LogitRows * sizeof(int));

        Check(cuMemcpyHtoD_v2(_buffers.Weights, weights.Wait().High, (nuint)layout.Count * sizeof(ushort)), "upload the weights");
        Check(cuStreamSynchronize(0), "upload the weights");
        Prepare(largestStep);
    }

    public MistralConfig Model => _shape.Model;

    public int Slots { get; }

    public int ContextLength { get; }

    public int MaxTokensInPass { get; }

    /// <summary>The GPU's name.</summary>
    public string Device => _device.Name;

    /// <summary>Device memory taken, in bytes.</summary>
    public long DeviceBytes => _device.AllocatedBytes;

    public int Length(int slot)
    {
        DecoderChecks.CheckSlot(this, slot);
        return _lengths[slot];
    }

    public void Truncate(int slot, int length)
    {
        DecoderChecks.CheckSlot(this, slot);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)_lengths[slot], nameof(length));
        _lengths[slot] = length;
    }

    public void Copy(ReadOnlySpan<SlotCopy> copies)
    {
        _device.Use();
        foreach (var (from, to) in copies)
        {
            DecoderChecks.CheckSlot(this, from);
            DecoderChecks.CheckSlot(this, to);
            if (from == to) continue;
            if (_lengths[from] > 0) _passes.Copy(from, to, _lengths[from]);
            _lengths[to] = _lengths[from];
        }
    }

    public void Forward(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, LogitRows rows, Span<float> logits)
    {
        var wanted = DecoderChecks.Check(this, parts, tokens, rows, logits.Length);
        _device.Use();
        var size = Stage(parts, tokens, rows);
        if (wanted == parts.Length && wanted == tokens.Length && _logitSteps.TryGetValue(size, out var step))
        {
            step.Launch();
            ReadLogits(logits, wanted);
            return;
        }
        UploadRows(size);
        _passes.Extend(size);
        for (var done = 0; done < wanted; done += _buffers.LogitRows)
        {
            var count = Math.Min(_buffers.LogitRows, wanted - done);
            _passes.Classify(DecoderPasses.SizeFor(count), done);
            DownloadLogits(count);
            ReadLogits(logits[(done * _shape.Vocabulary)..], count);
        }
        _device.Synchronize(); // the rows' place on the host is free again
    }

    public Span<float> ForwardInPlace(scoped ReadOnlySpan<DecoderPart> parts, scoped ReadOnlySpan<int> tokens, out int stride)
    {
        DecoderChecks.Check(this, parts, tokens, LogitRows.None, logits: 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts.Length, _buffers.LogitRows, nameof(parts));
        _device.Use();
        var size = Stage(parts, tokens, LogitRows.Last);
        if (parts.Length == tokens.Length && _logitSteps.TryGetValue(size, out var step))
        {
            step.Launch();
        }
        else
        {
            UploadRows(size);
            _passes.Extend(size);
            _passes.Classify(DecoderPasses.SizeFor(parts.Length));
            DownloadLogits(parts.Length);
        }
        _device.Synchronize();
        stride = _shape.VocabularyPadded;
        return new Span<float>((void*)_hostLogits, parts.Length * stride);
    }

    public void ForwardGreedy(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, Span<int> best)
    {
        DecoderChecks.Check(this, parts, tokens, LogitRows.None, logits: 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(best.Length, parts.Length, nameof(best));
        _device.Use();
        var size = Stage(parts, tokens, LogitRows.Last);
        if (parts.Length == tokens.Length && _greedySteps.TryGetValue(size, out var step))
        {
            step.Launch();
        }
        else
        {
            UploadRows(size);
            _passes.Extend(size);
            _passes.Classify(DecoderPasses.SizeFor(parts.Length));
            _passes.Choose(parts.Length);
            DownloadBest(parts.Length);
        }
        _device.Synchronize();
        new ReadOnlySpan<int>((void*)_hostBest, parts.Length).CopyTo(best);
    }

    // Every size of pass runs once where nobody reads, so that kernels and products are there when they are needed; then the steps are recorded.
    private void Prepare(int largestStep)
    {
        for (var size = 1; size <= MaxTokensInPass; size *= 2)
        {
            FillUp(0, size);
            UploadRows(size);
            _passes.Extend(size);
            if (size > _buffers.LogitRows) continue;
            _passes.Classify(size);
            _passes.Choose(size);
            _device.Synchronize();
            if (size > largestStep) continue;
            _logitSteps.Add(size, CudaGraph.Record(_device, $"a step of {size} texts", () =>
            {
                UploadRows(size);
                _passes.Extend(size);
                _passes.Classify(size);
                DownloadLogits(size);
            }));
            _greedySteps.Add(size, CudaGraph.Record(_device, $"a greedy step of {size} texts", () =>
            {
                UploadRows(size);
                _passes.Extend(size);
                _passes.Classify(size);
                _passes.Choose(size);
                DownloadBest(size);
            }));
        }
        _device.Synchronize();
    }

    private Span<PassRow> HostRows => new((void*)_hostRows, MaxTokensInPass);

    /// <summary>Writes the pass where its upload reads it, and lets the slots grow; the pass's size.</summary>
    private int Stage(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, LogitRows wanted)
    {
        var size = DecoderPasses.SizeFor(tokens.Length);
        var rows = HostRows;
        int token = 0, selected = 0;
        foreach (var (slot, count) in parts)
        {
            for (var i = 0; i < count; i++, token++)
            {
                (rows[token].Token, rows[token].Slot, rows[token].Position) = (tokens[token], slot, _lengths[slot]++);
                if (wanted == LogitRows.All || (wanted == LogitRows.Last && i == count - 1)) rows[selected++].Selected = token;
            }
        }
        FillUp(token, size);
        for (; selected < size; selected++) rows[selected].Selected = 0;
        return size;
    }

    // Tokens that nobody asked for stand in the slot behind the last.
    private void FillUp(int from, int size) => HostRows[from..size].Fill(new PassRow { Slot = Slots });

    private void UploadRows(int size) => Check(cuMemcpyHtoDAsync_v2(_buffers.Rows, _hostRows, (nuint)(size * sizeof(PassRow)), _device.Stream), "upload a pass");

    private void DownloadLogits(int rows) =>
        Check(cuMemcpyDtoHAsync_v2(_hostLogits, _buffers.Logits, (nuint)((long)rows * _shape.VocabularyPadded * sizeof(float)), _device.Stream), "download logits");

    private void DownloadBest(int rows) => Check(cuMemcpyDtoHAsync_v2(_hostBest, _buffers.Best, (nuint)(rows * sizeof(int)), _device.Stream), "download tokens");

    private void ReadLogits(Span<float> logits, int rows)
    {
        _device.Synchronize();
        for (var row = 0; row < rows; row++)
            new ReadOnlySpan<float>((float*)_hostLogits + (long)row * _shape.VocabularyPadded, _shape.Vocabulary).CopyTo(logits[(row * _shape.Vocabulary)..]);
    }

    public void Dispose()
    {
        _device.Use();
        _device.Synchronize();
        foreach (var step in _logitSteps.Values.Concat(_greedySteps.Values)) step.Dispose();
        _products.Dispose();
        foreach (var kernels in _kernels) kernels.Dispose();
        _device.Dispose();
    }

    private struct PassRow
    {
        public int Token, Slot, Position, Selected;
    }
}
