using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Tests.Fused;

namespace Streaming.Model.Tests.Generation;

/// <summary>A decoder's products in double, rounded as the device's are.</summary>
internal sealed class HostForwardProducts(IDeviceMemory device) : IForwardProducts
{
    public void Forward(nint y, nint x, nint weight, int rows, int inputs, int outputs) =>
        device.Upload<ushort>(y, Bf16.Nearest(Product(x, weight, rows, inputs, outputs)));

    public void ForwardWide(nint y, nint x, nint weight, int rows, int inputs, int outputs, bool add)
    {
        var result = Product(x, weight, rows, inputs, outputs);
        if (add)
        {
            var before = new float[result.Length];
            device.Download<float>(before, y);
            for (var i = 0; i < result.Length; i++) result[i] += before[i];
        }
        device.Upload<float>(y, [.. result.Select(value => (float)value)]);
    }

    private double[] Product(nint x, nint weight, int rows, int inputs, int outputs)
    {
        var (left, right, result) = (Read(x, rows * inputs), Read(weight, outputs * inputs), new double[rows * outputs]);
        for (var row = 0; row < rows; row++)
            for (var output = 0; output < outputs; output++)
                for (var i = 0; i < inputs; i++)
                    result[row * outputs + output] += left[row * inputs + i] * right[output * inputs + i];
        return result;
    }

    private double[] Read(nint source, int count)
    {
        var bits = new ushort[count];
        device.Download<ushort>(bits, source);
        return Bf16.ToDoubles(bits);
    }
}
