namespace Streaming.Model.Fused;

/// <summary>The matrix products of Muon's iteration, on <c>count</c> matrices behind one another, row-major in bf16, summed in float32.</summary>
internal interface IMuonProducts
{
    /// <summary>gram (rows, rows) = x x^T for x (rows, columns).</summary>
    void Gram(nint gram, nint x, int rows, int columns, int count);

    /// <summary>y (rows, rows) = linear a + quadratic a a for symmetric a.</summary>
    void Polynomial(nint y, nint a, float linear, float quadratic, int rows, int count);

    /// <summary>y (rows, columns) = linear x + a x for a (rows, rows).</summary>
    void Combine(nint y, nint a, nint x, float linear, int rows, int columns, int count);
}
