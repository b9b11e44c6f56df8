namespace Streaming.Model.Tests.Fused;

/// <summary>Master weights on a device in the two parts that its kernels keep.</summary>
internal sealed class MasterArrays
{
    private readonly HalfFormat _half;
    private readonly DeviceArray<short> _rest;
    private readonly DeviceArray<float> _whole;

    public MasterArrays(KernelBench bench, float[] weights)
    {
        _half = bench.Half;
        if (_half.IsFloat16)
        {
            High = bench.Upload([.. weights.Select(weight => _half.Nearest(weight))]);
            _whole = bench.Upload(weights);
        }
        else
        {
            var (high, low) = Halves.Of(weights);
            (High, _rest) = (bench.Upload(high), bench.Upload(low));
        }
    }

    /// <summary>What products read.</summary>
    public DeviceArray<ushort> High { get; }

    /// <summary>What makes it exact.</summary>
    public KernelArgument Low => _half.IsFloat16 ? _whole : _rest;

    /// <summary>The weights in float32; what products read of them is their rounding.</summary>
    public float[] Download()
    {
        var high = High.Download();
        if (!_half.IsFloat16) return Halves.Join(high, _rest.Download());
        var weights = _whole.Download();
        Assert.Equal(weights.Select(weight => _half.Nearest(weight)), high);
        return weights;
    }
}
