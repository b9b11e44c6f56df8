using System.Buffers;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Fused;

/// <summary>
/// Weights, gradients and moments over one <see cref="ParameterLayout"/>, and the step's scalars. On the device as flat buffers, or, where
/// they are offloaded, in host memory as such: what kernels need is then on the device for a time, at <see cref="High"/> and so on.
/// </summary>
internal sealed class FlatBuffers : IModelWeights
{
    /// <summary>Partial sums of the gradient norm, at most.</summary>
    public const int NormSumBlocks = 1024;

    private const int ChunkElements = 1 << 22;
    private readonly IDeviceMemory _device, _home;
    private readonly ParameterLayout _layout;
    private readonly bool _half;
    private readonly AddressMap _high, _low, _gradient;

    /// <param name="halfPrecision">fp16 weights beside whole float32 masters, instead of float32 in a bf16 and a 16-bit part.</param>
    /// <param name="host">Where offloaded state lies; null offloads nothing.</param>
    public FlatBuffers(IDeviceMemory device, ParameterLayout layout, OptimizerKind optimizer, bool halfPrecision, HostState? host = null)
    {
        (_device, _layout, _half, Host) = (device, layout, halfPrecision, host);
        _home = host?.Memory ?? device;
        LowBytes = LowBytesFor(halfPrecision);
        (_high, _low, _gradient) = (new(sizeof(ushort)), new(LowBytes), new(sizeof(float)));
        switch (host?.Level ?? OffloadLevel.None)
        {
            case OffloadLevel.None:
                TakeWhole(layout.Count);
                _low.Add(0, layout.Count, device.Allocate(layout.Count * LowBytes, "the master weights"));
                break;
            case OffloadLevel.Optimizer:
                TakeWhole(layout.Count);
                TakeLow(0, layout.LayersBegin, "the embedding's master weights"); // embedding and norms are computed in float32
                TakeLow(layout.Norms, layout.Count, "the norms' master weights");
                break;
            default:
                TakeSlots(host!);
                break;
        }
        Moments = new MomentBuffers(device, _home, new MomentPlan(layout, optimizer));
        Scalars = device.Allocate(StepScalars.Bytes, "scalars");
        var sums = Math.Max(NormSumBlocks, StreamedLayers.SumsFor(layout.Layers.Length)) * sizeof(float);
        NormSums = device.Allocate(sums, "the gradient norm");
        device.Clear(NormSums, sums);
        if (host is null)
        {
            device.Clear(High(0), layout.Count * sizeof(ushort));
            device.Clear(Low(0), layout.Count * LowBytes);
        }
        ClearGradients();
        ClearScalars();
    }

    private FlatBuffers(FlatBuffers other, IDeviceMemory memory)
    {
        (_device, _home, _layout, _half, LowBytes, Host) = (memory, memory, other._layout, other._half, other.LowBytes, other.Host);
        (_high, _low, _gradient, Scalars, NormSums) = (other._high, other._low, other._gradient, other.Scalars, other.NormSums);
        Moments = other.Moments.Through(memory);
    }

    /// <summary>Where offloaded state lies; null where nothing is offloaded.</summary>
    public HostState? Host { get; }

    public int LowBytes { get; }
    public MomentBuffers Moments { get; }
    public nint Scalars { get; }
    public nint NormSums { get; }

    /// <summary>What the products read, in bf16 or fp16.</summary>
    public nint High(long element) => _high.At(element);

    /// <summary>What makes them float32, <see cref="LowBytes"/> an element.</summary>
    public nint Low(long element) => _low.At(element);

    public nint Gradient(long element) => _gradient.At(element);

    /// <summary>The output matrix and its gradient: the embedding's where they are tied, though not always in one place.</summary>
    public nint ClassifierHigh { get; private set; }

    public nint ClassifierGradient { get; private set; }

    /// <summary>Kernels find the weights' lower halves on the device, all the time.</summary>
    public bool HoldsLow(long begin, long end) => _low.Holds(begin, end);

    /// <summary>Addresses of a range that is on the device as a whole.</summary>
    public StateAddresses Resident(MomentRange range) => new(High(range.Begin), Low(range.Begin), Gradient(range.Begin),
        Moments.Base + (nint)range.First, Moments.Base + (nint)range.Second, Moments.Base + (nint)range.FirstScales, Moments.Base + (nint)range.SecondScales);

    /// <summary>Device bytes of all of it.</summary>
    public static long Predict(ParameterLayout layout, OptimizerKind optimizer, bool halfPrecision, OffloadLevel level = OffloadLevel.None)
    {
        long low = LowBytesFor(halfPrecision), norms = layout.Count - layout.Norms;
        return level switch
        {
            OffloadLevel.None => layout.Count * (2 + low + 4) + new MomentPlan(layout, optimizer).Bytes,
            OffloadLevel.Optimizer => layout.Count * (2 + 4) + (layout.LayersBegin + norms) * low,
            _ => (2 * layout.LayerCount + layout.ClassifierCount) * (2 + 4) + norms * (2 + low + 4),
        };
    }

    public static int LowBytesFor(bool halfPrecision) => halfPrecision ? sizeof(float) : sizeof(short);

    /// <summary>The same addresses, read through another memory: one that has a copy of what lies there.</summary>
    public FlatBuffers Through(IDeviceMemory memory) => new(this, memory);

    public void ClearGradients()
    {
        if (Host is { Level: OffloadLevel.Parameters } host)
        {
            // The layers' are cleared as they come to the device.
            _device.Clear(Gradient(_layout.Norms), (_layout.Count - _layout.Norms) * sizeof(float));
            host.Memory.Clear(host.Gradient(_layout.Embedding), _layout.LayersBegin * sizeof(float));
        }
        else _device.Clear(Gradient(0), _layout.Count * sizeof(float));
    }

    /// <summary>All zero, but for a loss scale of 1.</summary>
    public void ClearScalars()
    {
        _device.Clear(Scalars, StepScalars.Bytes);
        _device.Upload<float>(Scalars, [1f]);
    }

    public void ReadWeights(long element, Span<float> destination)
    {
        if (_half)
        {
            _home.Download(destination, HomeLow(element));
            return;
        }
        var high = ArrayPool<ushort>.Shared.Rent(Math.Min(ChunkElements, destination.Length));
        var low = ArrayPool<short>.Shared.Rent(high.Length);
        for (var start = 0; start < destination.Length; start += ChunkElements)
        {
            var count = Math.Min(ChunkElements, destination.Length - start);
            _home.Download(high.AsSpan(0, count), HomeHigh(element + start));
            _home.Download(low.AsSpan(0, count), HomeLow(element + start));
            for (var i = 0; i < count; i++) destination[start + i] = MasterWeight.Join(high[i], low[i]);
        }
        ArrayPool<ushort>.Shared.Return(high);
        ArrayPool<short>.Shared.Return(low);
    }

    /// <summary>The sum since the last update.</summary>
    public void ReadGradient(long element, Span<float> destination)
    {
        if (Host is not null && !HasGradient) destination.Clear(); // the last step's may still be there
        else if (Host is { Level: OffloadLevel.Parameters } host && element < _layout.Norms) host.Memory.Download(destination, host.Gradient(element));
        else _device.Download(destination, Gradient(element));
    }

    /// <summary>A micro-batch has added to the gradient since the last update.</summary>
    public bool HasGradient { get; set; }

    public void WriteWeights(long element, ReadOnlySpan<float> source)
    {
        var high = new ushort[Math.Min(ChunkElements, source.Length)];
        var low = new short[high.Length];
        for (var start = 0; start < source.Length; start += ChunkElements)
        {
            var part = source.Slice(start, Math.Min(ChunkElements, source.Length - start));
            var roundedPart = high.AsSpan(0, part.Length);
            var restPart = low.AsSpan(0, part.Length);
            if (_half)
                for (var i = 0; i < part.Length; i++) high[i] = BitConverter.HalfToUInt16Bits((Half)part[i]);
            else
                MasterWeight.Split(part, roundedPart, restPart);
            foreach (var (memory, highAt, lowAt) in Places(element + start, part.Length))
            {
                if (highAt != 0) memory.Upload<ushort>(highAt, roundedPart);
                if (lowAt == 0) continue;
                if (_half) memory.Upload(lowAt, part);
                else memory.Upload<short>(lowAt, restPart);
            }
        }
    }

    /// <summary>Brings to the device what of the host's weights is always there.</summary>
    public void UploadResident(Action<nint, nint, long> copy)
    {
        var host = Host!;
        foreach (var (begin, end) in new[] { (0L, _layout.LayersBegin), (_layout.LayersBegin, _layout.Norms), (_layout.Norms, _layout.Count) })
        {
            if (IsOnDevice(_high, begin, end)) copy(High(begin), host.High(begin), (end - begin) * sizeof(ushort));
            if (IsOnDevice(_low, begin, end)) copy(Low(begin), host.Low(begin), (end - begin) * LowBytes);
        }
    }

    private nint HomeHigh(long element) => Host?.High(element) ?? High(element);
    private nint HomeLow(long element) => Host?.Low(element) ?? Low(element);

    // Where weights are kept: at home, and again on the device where they are always there.
    private IEnumerable<(IDeviceMemory Memory, nint High, nint Low)> Places(long element, long count)
    {
        yield return (_home, HomeHigh(element), HomeLow(element));
        if (Host is null) yield break;
        var (high, low) = (IsOnDevice(_high, element, element + count), IsOnDevice(_low, element, element + count));
        if (high || low) yield return (_device, high ? High(element) : 0, low ? Low(element) : 0);
    }

    private bool IsOnDevice(AddressMap map, long begin, long end) =>
        map.Holds(begin, end) && (Host!.Level == OffloadLevel.Optimizer || begin >= _layout.Norms);

    private void TakeWhole(long count)
    {
        _high.Add(0, count, _device.Allocate(count * sizeof(ushort), "the weights"));
        _gradient.Add(0, count, _device.Allocate(count * sizeof(float), "the gradients"));
        (ClassifierHigh, ClassifierGradient) = (High(_layout.Classifier), Gradient(_layout.Classifier));
    }

    private void TakeLow(long begin, long end, string purpose) => _low.Add(begin, end, _device.Allocate((end - begin) * LowBytes, purpose));

    // Two layers take turns in two slots, the output matrix has one of its own; the embedding, of which a micro-batch needs a few rows,
    // is read and added to in host memory.
    private void TakeSlots(HostState host)
    {
        long layer = _layout.LayerCount, norms = _layout.Count - _layout.Norms;
        _high.Add(0, _layout.LayersBegin, host.High(0));
        _low.Add(0, _layout.LayersBegin, host.Low(0));
        _gradient.Add(0, _layout.LayersBegin, host.Gradient(0));
        _high.AddTurns(_layout, _device.Allocate(2 * layer * sizeof(ushort), "the weights of two layers"));
        _gradient.AddTurns(_layout, _device.Allocate(2 * layer * sizeof(float), "the gradients of two layers"));
        ClassifierHigh = _device.Allocate(_layout.ClassifierCount * sizeof(ushort), "the output matrix");
        ClassifierGradient = _device.Allocate(_layout.ClassifierCount * sizeof(float), "the output matrix's gradient");
        _high.Add(_layout.Norms, _layout.Count, _device.Allocate(norms * sizeof(ushort), "the norms' weights"));
        TakeLow(_layout.Norms, _layout.Count, "the norms' master weights");
        _gradient.Add(_layout.Norms, _layout.Count, _device.Allocate(norms * sizeof(float), "the norms' gradients"));
    }
}
