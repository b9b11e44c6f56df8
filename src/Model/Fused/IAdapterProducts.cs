namespace Streaming.Model.Fused;

/// <summary>
/// The products that adapters take, on 16-bit operands with float32 sums. Every matrix may be part of a wider one: its stride is the
/// width of that, in elements, and begins at a multiple of 8.
/// </summary>
internal interface IAdapterProducts
{
    /// <summary>y (rows, outputs) = scale x (rows, inputs) W^T, W (outputs, inputs).</summary>
    void Narrow(nint y, int strideY, nint x, int strideX, nint weight, int strideWeight, int rows, int inputs, int outputs, float scale);

    /// <summary>y (rows, outputs) += x (rows, inputs) W, W (inputs, outputs).</summary>
    void Add(nint y, int strideY, nint x, int strideX, nint weight, int strideWeight, int rows, int inputs, int outputs);

    /// <summary>d (left, right) += x^T y, in float32; x (rows, left), y (rows, right).</summary>
    void AddOuter(nint d, nint x, int strideX, nint y, int strideY, int rows, int left, int right);
}
