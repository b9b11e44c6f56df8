using Streaming.Model.Adapters;
using Streaming.Model.Parameters;

namespace Streaming.Model.Fused.Adapters;

/// <summary>The products of a layer: their matrices lie in one, and adapters read one input.</summary>
internal enum AdaptedProduct { Packed, Output, GateUp, Down }

/// <summary>One matrix's adapter within its product.</summary>
/// <param name="B">First element of B, which lies turned: (rank, outputs).</param>
/// <param name="Place">Its place among the product's adapters.</param>
/// <param name="Column">First of the product's outputs that it adds to.</param>
/// <param name="Outputs">How many.</param>
internal readonly record struct AdaptedColumns(long B, int Place, int Column, int Outputs);

/// <summary>The adapters of one product.</summary>
/// <param name="A">First element of their A, one behind the other: (adapters x rank, inputs).</param>
/// <param name="Inputs">Of the product.</param>
/// <param name="Outputs">Of the product, others' included.</param>
/// <param name="Columns">One an adapter.</param>
internal sealed record AdapterGroup(long A, int Inputs, int Outputs, AdaptedColumns[] Columns);

/// <summary>
/// Where adapters lie in flat buffers of their own. The rank is filled up to a multiple of 8 with rows of zeros, which stay zero: their
/// gradient is a product with zeros. B lies turned, so that what fills it up follows it.
/// </summary>
internal sealed class AdapterLayout
{
    private readonly AdapterGroup?[,] _groups;
    private readonly HashSet<string> _turned = [];

    public AdapterLayout(FusedShape shape, LoraOptions lora)
    {
        Lora = lora;
        Rank = (lora.Rank + 7) / 8 * 8;
        var matrices = AdaptedMatrix.Of(shape.Model, lora).ToDictionary(matrix => matrix.Matrix.Name);
        _groups = new AdapterGroup?[shape.Layers, 4];
        int hidden = shape.Hidden, inner = shape.Intermediate, queries = shape.QueryWidth, keys = shape.KeyValueWidth;
        for (var i = 0; i < shape.Layers; i++)
        {
            var prefix = $"model.layers.{i}.";
            Add(i, AdaptedProduct.Packed, hidden, shape.PackedWidth, [(prefix + "self_attn.q_proj.weight", 0), (prefix + "self_attn.k_proj.weight", queries), (prefix + "self_attn.v_proj.weight", queries + keys)]);
            Add(i, AdaptedProduct.Output, queries, hidden, [(prefix + "self_attn.o_proj.weight", 0)]);
            Add(i, AdaptedProduct.GateUp, hidden, 2 * inner, [(prefix + "mlp.gate_proj.weight", 0), (prefix + "mlp.up_proj.weight", inner)]);
            Add(i, AdaptedProduct.Down, inner, hidden, [(prefix + "mlp.down_proj.weight", 0)]);
        }

        void Add(int layer, AdaptedProduct product, int inputs, int outputs, (string Name, int Column)[] parts)
        {
            var adapted = parts.Where(part => matrices.ContainsKey(part.Name)).Select(part => (Matrix: matrices[part.Name], part.Column)).ToArray();
            if (adapted.Length == 0) return;
            var a = Parameters.Count;
            foreach (var (matrix, _) in adapted) Parameters.Add(matrix.A.Name, (long)Rank * inputs, matrix.A.Shape);
            Parameters.Align();
            var columns = new AdaptedColumns[adapted.Length];
            for (var place = 0; place < adapted.Length; place++)
            {
                var (matrix, column) = adapted[place];
                var count = (int)matrix.B.Shape[0];
                columns[place] = new(Parameters.Add(matrix.B.Name, (long)Rank * count, [lora.Rank, count]), place, column, count);
                Parameters.Align();
                _turned.Add(matrix.B.Name);
            }
            _groups[layer, (int)product] = new AdapterGroup(a, inputs, outputs, columns);
        }
    }

    public LoraOptions Lora { get; }

    /// <summary>As the kernels have it.</summary>
    public int Rank { get; }

    /// <summary>Places and shapes in the flat buffers, B turned.</summary>
    public ParameterLayout Parameters { get; } = ParameterLayout.OfMatrices();

    /// <summary>Most adapters of one product, times the rank.</summary>
    public int Width => Rank * _groups.Cast<AdapterGroup?>().Max(group => group?.Columns.Length ?? 0);

    /// <summary>The adapters of a product; null where it has none.</summary>
    public AdapterGroup? Of(int layer, AdaptedProduct product) => _groups[layer, (int)product];

    /// <summary>The parameter lies turned.</summary>
    public bool IsTurned(ModelParameter parameter) => _turned.Contains(parameter.Name);
}
