namespace Streaming.Model.Fused.Adapters;

/// <summary>
/// What adapters add to the passes over a micro-batch. For each product y = x W^T of a layer, with s = alpha / rank:
/// t = s x A^T and y += t B^T forward; u = s d_y B and d_x += u A, d_A += u^T x, d_B += d_y^T t backward, where t is computed again.
/// The adapters of one product share their A's product and read and write columns of t, u, y and d_y.
/// </summary>
/// <param name="layout">The adapters.</param>
/// <param name="flat">Their weights and gradients.</param>
/// <param name="products">The products.</param>
/// <param name="positions">Rows: N.</param>
/// <param name="reduced">Room for t: (N, <see cref="AdapterLayout.Width"/>) in 16 bits.</param>
/// <param name="gradient">Room for u, likewise.</param>
/// <param name="lap">Takes the name of what was queued.</param>
internal sealed class AdapterPasses(AdapterLayout layout, FlatBuffers flat, IAdapterProducts products, int positions, nint reduced, nint gradient, Action<string> lap)
{
    private readonly float _scale = (float)layout.Lora.Scale;

    /// <summary>Adds to y what the product's adapters make of x.</summary>
    public void Forward(int layer, AdaptedProduct product, nint x, nint y)
    {
        if (layout.Of(layer, product) is not { } group) return;
        Reduce(group, x);
        foreach (var columns in group.Columns)
            products.Add(At(y, columns.Column), group.Outputs, Part(reduced, columns), WidthOf(group), flat.High(columns.B), columns.Outputs, positions, layout.Rank, columns.Outputs);
        lap("adapters");
    }

    /// <summary>Adds to d_x what comes through the adapters; u is there until the next product's.</summary>
    public void InputGradient(int layer, AdaptedProduct product, nint dX, nint dY)
    {
        if (layout.Of(layer, product) is not { } group) return;
        foreach (var columns in group.Columns)
            products.Narrow(Part(gradient, columns), WidthOf(group), At(dY, columns.Column), group.Outputs, flat.High(columns.B), columns.Outputs, positions, columns.Outputs, layout.Rank, _scale);
        products.Add(dX, group.Inputs, gradient, WidthOf(group), flat.High(group.A), group.Inputs, positions, WidthOf(group), group.Inputs);
        lap("adapters, input gradient");
    }

    /// <summary>Adds to the gradients of A and B; after <see cref="InputGradient"/> of the same product.</summary>
    public void WeightGradient(int layer, AdaptedProduct product, nint x, nint dY)
    {
        if (layout.Of(layer, product) is not { } group) return;
        Reduce(group, x);
        foreach (var columns in group.Columns)
            products.AddOuter(flat.Gradient(columns.B), Part(reduced, columns), WidthOf(group), At(dY, columns.Column), group.Outputs, positions, layout.Rank, columns.Outputs);
        products.AddOuter(flat.Gradient(group.A), gradient, WidthOf(group), x, group.Inputs, positions, WidthOf(group), group.Inputs);
        lap("adapters, weight gradient");
    }

    // t = s x A^T, all adapters of the product beside one another.
    private void Reduce(AdapterGroup group, nint x) =>
        products.Narrow(reduced, WidthOf(group), x, group.Inputs, flat.High(group.A), group.Inputs, positions, group.Inputs, WidthOf(group), _scale);

    private int WidthOf(AdapterGroup group) => group.Columns.Length * layout.Rank;

    private nint Part(nint matrix, AdaptedColumns columns) => At(matrix, columns.Place * layout.Rank);

    private static nint At(nint matrix, int column) => matrix + (nint)(column * sizeof(ushort));
}
