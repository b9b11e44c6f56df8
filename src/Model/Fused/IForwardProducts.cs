namespace Streaming.Model.Fused;

/// <summary>y = x W^T on bf16 operands with float32 sums, row-major: x (rows, inputs), W (outputs, inputs), y (rows, outputs).</summary>
internal interface IForwardProducts
{
    /// <summary>y in bf16.</summary>
    void Forward(nint y, nint x, nint weight, int rows, int inputs, int outputs);

    /// <summary>y in float32, added to what it holds where <paramref name="add"/> says so.</summary>
    void ForwardWide(nint y, nint x, nint weight, int rows, int inputs, int outputs, bool add);
}
