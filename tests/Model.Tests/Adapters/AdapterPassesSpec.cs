using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Adapters;
using Streaming.Model.Fused.Offload;
using Streaming.Model.Parameters;
using Streaming.Model.Tests.Fused;
using Streaming.Model.Tests.Fused.Offload;

namespace Streaming.Model.Tests.Adapters;

/// <summary>The fused engine's adapters on the host, with products in double: which columns and rows they read and write.</summary>
public sealed unsafe class AdapterPassesSpec : IDisposable
{
    private const int Positions = 6;

    private static readonly FusedShape Shape = FusedShape.From(new MistralConfig
    {
        VocabularySize = 100,
        HiddenSize = 32,
        IntermediateSize = 48,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 16,
    });

    private readonly HostMemory _memory = new(new NoLocking());

    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(8, "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj")]
    [InlineData(3, "q_proj,v_proj,up_proj")]
    [InlineData(13, "k_proj,down_proj,gate_proj")]
    public void Each_product_has_what_its_adapters_add_and_they_their_gradients(int rank, string modules)
    {
        var lora = new LoraOptions { Rank = rank, Alpha = 1.5 * rank, TargetModules = modules.Split(',') };
        var layout = new AdapterLayout(Shape, lora);
        var flat = new FlatBuffers(_memory, layout.Parameters, OptimizerKind.AdamW, halfPrecision: false);
        var entries = layout.Parameters.Entries.ToDictionary(entry => entry.Name);
        var adapters = LowRank.Random(Shape.Model, lora).ToDictionary(entry => entry.Key, entry => Rounded(entry.Value));
        IParameterState State(ModelParameter parameter)
        {
            var state = new FusedParameter(flat, entries[parameter.Name], () => { });
            return layout.IsTurned(parameter) ? new TurnedParameter(state) : state;
        }
        foreach (var parameter in AdaptedMatrix.ParametersOf(Shape.Model, lora)) State(parameter).Write(StateKind.Weight, adapters[parameter.Name]);
        flat.HasGradient = true;
        var passes = new AdapterPasses(layout, flat, new HostProducts(), Positions,
            _memory.Allocate(Positions * layout.Width * 2, ""), _memory.Allocate(Positions * layout.Width * 2, ""), _ => { });

        var products = new (AdaptedProduct Product, int Inputs, (string Module, int Outputs)[] Parts)[]
        {
            (AdaptedProduct.Packed, 32, [("self_attn.q_proj", 64), ("self_attn.k_proj", 32), ("self_attn.v_proj", 32)]),
            (AdaptedProduct.Output, 64, [("self_attn.o_proj", 32)]),
            (AdaptedProduct.GateUp, 32, [("mlp.gate_proj", 48), ("mlp.up_proj", 48)]),
            (AdaptedProduct.Down, 48, [("mlp.down_proj", 32)]),
        };
        for (var layer = 0; layer < Shape.Layers; layer++)
        {
            foreach (var (product, inputs, parts) in products)
            {
                var outputs = parts.Sum(part => part.Outputs);
                var (x, y, dX, dY) = (Noise(Positions * inputs, 1), Noise(Positions * outputs, 2), Noise(Positions * inputs, 3), Noise(Positions * outputs, 4));
                var (xAt, yAt, dXAt, dYAt) = (Upload(x), Upload(y), Upload(dX), Upload(dY));
                passes.Forward(layer, product, xAt, yAt);
                passes.InputGradient(layer, product, dXAt, dYAt);
                passes.WeightGradient(layer, product, xAt, dYAt);

                var column = 0;
                foreach (var (module, count) in parts)
                {
                    var matrix = AdaptedMatrix.Of(Shape.Model, lora).SingleOrDefault(matrix => matrix.Matrix.Name == $"model.layers.{layer}.{module}.weight");
                    if (matrix is not null) Apply(matrix, column, count);
                    column += count;
                }
                // What passes through 16 bits on its way, up to four roundings of sums near 1.
                Close(y, Download(yAt, y.Length), 0.02);
                Close(dX, Download(dXAt, dX.Length), 0.02);

                void Apply(AdaptedMatrix matrix, int first, int count)
                {
                    var (a, b) = (adapters[matrix.A.Name], adapters[matrix.B.Name]);
                    double[] dA = new double[a.Length], dB = new double[b.Length];
                    for (var n = 0; n < Positions; n++)
                        for (var k = 0; k < rank; k++)
                        {
                            double t = 0, u = 0;
                            for (var i = 0; i < inputs; i++) t += lora.Scale * x[n * inputs + i] * a[k * inputs + i];
                            for (var o = 0; o < count; o++) u += lora.Scale * dY[n * outputs + first + o] * b[o * rank + k];
                            for (var i = 0; i < inputs; i++)
                            {
                                dX[n * inputs + i] += u * a[k * inputs + i];
                                dA[k * inputs + i] += u * x[n * inputs + i];
                            }
                            for (var o = 0; o < count; o++)
                            {
                                y[n * outputs + first + o] += t * b[o * rank + k];
                                dB[o * rank + k] += t * dY[n * outputs + first + o];
                            }
                        }
                    Close(dA, [.. EngineRead(State(matrix.A)).Select(value => (double)value)], 0.02);
                    Close(dB, [.. EngineRead(State(matrix.B)).Select(value => (double)value)], 0.02);
                }
            }
        }
        // What fills the rank up stays zero, and so does its gradient.
        var used = new bool[layout.Parameters.Count];
        foreach (var entry in layout.Parameters.Entries) Array.Fill(used, true, (int)entry.Offset, (int)entry.Count);
        for (var i = 0; i < used.Length; i++)
            Assert.True(used[i] || *(float*)flat.Gradient(i) == 0 && *(ushort*)flat.High(i) == 0, $"element {i}");
    }

    private static float[] EngineRead(IParameterState state)
    {
        var values = new float[state.Shape[0] * state.Shape[1]];
        state.Read(StateKind.Gradient, values);
        return values;
    }

    private static float[] Rounded(float[] values) => [.. values.Select(value => (float)Bf16.ToDouble(Bf16.Nearest(value)))];

    private static double[] Noise(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Bf16.ToDouble(Bf16.Nearest(random.NextDouble() * 2 - 1)))];
    }

    private nint Upload(double[] values)
    {
        var at = _memory.Allocate(values.Length * 2, "");
        _memory.Upload<ushort>(at, Bf16.Nearest(values));
        return at;
    }

    private double[] Download(nint at, int count)
    {
        var bits = new ushort[count];
        _memory.Download<ushort>(bits, at);
        return Bf16.ToDoubles(bits);
    }

    private static void Close(double[] expected, double[] actual, double share)
    {
        var bound = share * expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++) Assert.True(Math.Abs(expected[i] - actual[i]) <= bound, $"element {i} is {actual[i]}, expected {expected[i]}");
    }

    private sealed class HostProducts : IAdapterProducts
    {
        public void Narrow(nint y, int strideY, nint x, int strideX, nint weight, int strideWeight, int rows, int inputs, int outputs, float scale)
        {
            for (var row = 0; row < rows; row++)
                for (var o = 0; o < outputs; o++)
                {
                    double sum = 0;
                    for (var i = 0; i < inputs; i++) sum += Half(x, strideX, row, i) * Half(weight, strideWeight, o, i);
                    *At(y, strideY, row, o) = Bf16.Nearest(scale * sum);
                }
        }

        public void Add(nint y, int strideY, nint x, int strideX, nint weight, int strideWeight, int rows, int inputs, int outputs)
        {
            for (var row = 0; row < rows; row++)
                for (var o = 0; o < outputs; o++)
                {
                    var sum = Half(y, strideY, row, o);
                    for (var i = 0; i < inputs; i++) sum += Half(x, strideX, row, i) * Half(weight, strideWeight, i, o);
                    *At(y, strideY, row, o) = Bf16.Nearest(sum);
                }
        }

        public void AddOuter(nint d, nint x, int strideX, nint y, int strideY, int rows, int left, int right)
        {
            for (var l = 0; l < left; l++)
                for (var r = 0; r < right; r++)
                {
                    double sum = ((float*)d)[l * right + r];
                    for (var row = 0; row < rows; row++) sum += Half(x, strideX, row, l) * Half(y, strideY, row, r);
                    ((float*)d)[l * right + r] = (float)sum;
                }
        }

        private static ushort* At(nint matrix, int stride, int row, int column) => (ushort*)matrix + row * stride + column;

        private static double Half(nint matrix, int stride, int row, int column) => Bf16.ToDouble(*At(matrix, stride, row, column));
    }
}
