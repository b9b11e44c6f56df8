using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Tests.Fused;

/// <summary>Muon's products in double, rounded to bf16.</summary>
internal sealed class HostMuonProducts(IDeviceMemory device) : IMuonProducts
{
    public void Gram(nint gram, nint x, int rows, int columns, int count)
    {
        var a = Download(x, count * rows * columns);
        Upload(gram, count * rows * rows, (matrix, i, j) => Sum(columns, k => a[(matrix * rows + i) * columns + k] * a[(matrix * rows + j) * columns + k]), rows, rows);
    }

    public void Polynomial(nint y, nint a, float linear, float quadratic, int rows, int count)
    {
        var gram = Download(a, count * rows * rows);
        double At(int matrix, int i, int j) => gram[(matrix * rows + i) * rows + j];
        Upload(y, gram.Length, (matrix, i, j) => linear * At(matrix, i, j) + quadratic * Sum(rows, k => At(matrix, i, k) * At(matrix, k, j)), rows, rows);
    }

    public void Combine(nint y, nint a, nint x, float linear, int rows, int columns, int count)
    {
        var (factor, before) = (Download(a, count * rows * rows), Download(x, count * rows * columns));
        double At(int matrix, int i, int j) => before[(matrix * rows + i) * columns + j];
        Upload(y, before.Length, (matrix, i, j) => linear * At(matrix, i, j) + Sum(rows, k => factor[(matrix * rows + i) * rows + k] * At(matrix, k, j)), rows, columns);
    }

    private static double Sum(int count, Func<int, double> term)
    {
        var sum = 0.0;
        for (var k = 0; k < count; k++) sum += term(k);
        return sum;
    }

    private double[] Download(nint source, int count)
    {
        var bits = new ushort[count];
        device.Download<ushort>(bits, source);
        return Bf16.ToDoubles(bits);
    }

    private void Upload(nint target, int count, Func<int, int, int, double> value, int rows, int columns)
    {
        var bits = new ushort[count];
        for (var i = 0; i < count; i++) bits[i] = Bf16.Nearest(value(i / (rows * columns), i / columns % rows, i % columns));
        device.Upload<ushort>(target, bits);
    }
}
