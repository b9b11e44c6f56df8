using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Tests.Fused;

/// <summary>Muon's products in double, rounded to bf16.</summary>
internal sealed class HostMuonProducts(IDeviceMemory device) : IMuonProducts
{
    public void Gram(nint gram, nint x, int rows, int columns, int count)
    {
        var values = Download(x, count * rows * columns);
        Upload(gram, Products(values, values, rows, columns, rows, count, turned: true));
    }

    public void Polynomial(nint y, nint a, float linear, float quadratic, int rows, int count)
    {
        var values = Download(a, count * rows * rows);
        Upload(y, [.. values.Zip(Products(values, values, rows, rows, rows, count, turned: false), (first, second) => linear * first + quadratic * second)]);
    }

    public void Combine(nint y, nint a, nint x, float linear, int rows, int columns, int count)
    {
        var values = Download(x, count * rows * columns);
        Upload(y, [.. values.Zip(Products(Download(a, count * rows * rows), values, rows, rows, columns, count, turned: false), (before, more) => linear * before + more)]);
    }

    // Of each pair of matrices: left (rows, inner) times right (inner, columns), or its transpose.
    private static double[] Products(double[] left, double[] right, int rows, int inner, int columns, int count, bool turned)
    {
        var result = new double[count * rows * columns];
        for (var row = 0; row < count * rows; row++)
        {
            var second = right.AsSpan(row / rows * inner * columns, inner * columns);
            for (var k = 0; k < inner; k++)
                for (var column = 0; column < columns; column++)
                    result[row * columns + column] += left[row * inner + k] * (turned ? second[column * inner + k] : second[k * columns + column]);
        }
        return result;
    }

    private double[] Download(nint source, int count)
    {
        var bits = new ushort[count];
        device.Download<ushort>(bits, source);
        return Bf16.ToDoubles(bits);
    }

    private void Upload(nint target, double[] values) => device.Upload<ushort>(target, Bf16.Nearest(values));
}
