using Streaming.Model.Optimizers;

namespace Streaming.Model.Tests.Optimizers;

/// <summary>Newton-Schulz iterations in double, matrices as rows behind one another.</summary>
internal static class MuonReference
{
    public static double[] Orthogonalize(double[] matrix, int rows, int columns)
    {
        if (rows > columns) return Turn(Orthogonalize(Turn(matrix, rows, columns), columns, rows), columns, rows);
        var (linear, cubic, quintic) = Muon.Coefficients;
        var norm = Math.Sqrt(matrix.Sum(value => value * value));
        var x = matrix.Select(value => value / norm).ToArray();
        for (var i = 0; i < Muon.Iterations; i++)
        {
            var gram = Product(x, Turn(x, rows, columns), rows, columns, rows);
            var square = Product(gram, gram, rows, rows, rows);
            var polynomial = gram.Zip(square, (first, second) => cubic * first + quintic * second).ToArray();
            var change = Product(polynomial, x, rows, rows, columns);
            x = [.. x.Zip(change, (before, more) => linear * before + more)];
        }
        return x;
    }

    /// <summary>Norm of the difference over that of what was expected.</summary>
    public static double RelativeError(float[] actual, double[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, b) => (a - b) * (a - b)).Sum() / expected.Sum(value => value * value));

    private static double[] Turn(double[] matrix, int rows, int columns) =>
        [.. Enumerable.Range(0, matrix.Length).Select(i => matrix[i % rows * columns + i / rows])];

    private static double[] Product(double[] left, double[] right, int rows, int inner, int columns)
    {
        var result = new double[rows * columns];
        for (var i = 0; i < rows; i++)
            for (var k = 0; k < inner; k++)
                for (var j = 0; j < columns; j++) result[i * columns + j] += left[i * inner + k] * right[k * columns + j];
        return result;
    }
}
