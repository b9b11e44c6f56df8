using System.Buffers;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused;

/// <summary>Weights, gradients and moments in device memory, over one <see cref="ParameterLayout"/>; and the step's scalars.</summary>
internal sealed class FlatBuffers
{
    /// <summary>Partial sums of the gradient norm, at most.</summary>
    public const int NormSumBlocks = 1024;

    private const int ChunkElements = 1 << 22;
    private readonly IDeviceMemory _device;
    private readonly ParameterLayout _layout;
    private readonly bool _half;

    /// <param name="halfPrecision">fp16 weights beside whole float32 masters, instead of float32 in a bf16 and a 16-bit part.</param>
    public FlatBuffers(IDeviceMemory device, ParameterLayout layout, OptimizerKind optimizer, bool halfPrecision)
    {
        (_device, _layout, _half) = (device, layout, halfPrecision);
        LowBytes = halfPrecision ? sizeof(float) : sizeof(short);
        WeightsHigh = device.Allocate(layout.Count * sizeof(ushort), "the weights");
        WeightsLow = device.Allocate(layout.Count * LowBytes, "the master weights");
        Gradients = device.Allocate(layout.Count * sizeof(float), "the gradients");
        Moments = new MomentBuffers(device, new MomentPlan(layout, optimizer));
        Scalars = device.Allocate(StepScalars.Bytes, "scalars");
        NormSums = device.Allocate(NormSumBlocks * sizeof(float), "the gradient norm");
        device.Clear(WeightsHigh, layout.Count * sizeof(ushort));
        device.Clear(WeightsLow, layout.Count * LowBytes);
        ClearGradients();
        ClearScalars();
    }

    private FlatBuffers(FlatBuffers other, IDeviceMemory memory)
    {
        (_device, _layout, _half, LowBytes) = (memory, other._layout, other._half, other.LowBytes);
        (WeightsHigh, WeightsLow, Gradients, Scalars, NormSums) = (other.WeightsHigh, other.WeightsLow, other.Gradients, other.Scalars, other.NormSums);
        Moments = other.Moments.Through(memory);
    }

    /// <summary>What the products read: (parameters) in bf16 or fp16.</summary>
    public nint WeightsHigh { get; }

    /// <summary>What makes them float32, <see cref="LowBytes"/> an element.</summary>
    public nint WeightsLow { get; }

    public int LowBytes { get; }
    public nint Gradients { get; }
    public MomentBuffers Moments { get; }
    public nint Scalars { get; }
    public nint NormSums { get; }

    public nint High(long element) => WeightsHigh + (nint)(element * sizeof(ushort));
    public nint Low(long element) => WeightsLow + (nint)(element * LowBytes);
    public nint Gradient(long element) => Gradients + (nint)(element * sizeof(float));

    /// <summary>Bytes of all of it.</summary>
    public static long Predict(ParameterLayout layout, OptimizerKind optimizer, bool halfPrecision) =>
        layout.Count * (2 + (halfPrecision ? 4 : 2) + 4) + new MomentPlan(layout, optimizer).Bytes;

    /// <summary>The same addresses, read through another memory: one that has a copy of what lies there.</summary>
    public FlatBuffers Through(IDeviceMemory memory) => new(this, memory);

    public void ClearGradients() => _device.Clear(Gradients, _layout.Count * sizeof(float));

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
            _device.Download(destination, Low(element));
            return;
        }
        var high = ArrayPool<ushort>.Shared.Rent(Math.Min(ChunkElements, destination.Length));
        var low = ArrayPool<short>.Shared.Rent(high.Length);
        for (var start = 0; start < destination.Length; start += ChunkElements)
        {
            var count = Math.Min(ChunkElements, destination.Length - start);
            _device.Download(high.AsSpan(0, count), High(element + start));
            _device.Download(low.AsSpan(0, count), Low(element + start));
            for (var i = 0; i < count; i++) destination[start + i] = MasterWeight.Join(high[i], low[i]);
        }
        ArrayPool<ushort>.Shared.Return(high);
        ArrayPool<short>.Shared.Return(low);
    }

    public void WriteWeights(long element, ReadOnlySpan<float> source)
    {
        if (_half) _device.Upload(Low(element), source);
        var high = new ushort[Math.Min(ChunkElements, source.Length)];
        var low = new short[high.Length];
        for (var start = 0; start < source.Length; start += ChunkElements)
        {
            var count = Math.Min(ChunkElements, source.Length - start);
            if (_half)
                for (var i = 0; i < count; i++) high[i] = BitConverter.HalfToUInt16Bits((Half)source[start + i]);
            else
                for (var i = 0; i < count; i++) (high[i], low[i]) = MasterWeight.Split(source[start + i]);
            _device.Upload<ushort>(High(element + start), high.AsSpan(0, count));
            if (!_half) _device.Upload<short>(Low(element + start), low.AsSpan(0, count));
        }
    }
}
