using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

public sealed class MuonKernelSpec
{
    private const float Momentum = 0.95f, Factor = 0.5f, Rate = 0.02f, WeightDecay = 0.1f;
    private const int Shares = 5;

    /// <summary>Two flat matrices, two tall ones turned, and shapes that fill no tile.</summary>
    public static MatrixTheoryData<string, string> Cases => new(KernelDevices.NamesOfFormats, ["40 x 72", "72 x 40", "32 x 32", "8 x 200", "120 x 8"]);

    [Theory, MemberData(nameof(Cases))]
    public void Momentum_takes_in_the_gradient_and_its_direction_has_norm_one(string device, string shape)
    {
        using var bench = new KernelBench(device);
        var (matrices, rows, columns, size) = Matrices(shape);
        var (gradient, before) = (bench.Random.DrawFloats(3 * size, ValueKind.Normal), bench.Random.DrawFloats(2 * size, ValueKind.Normal));
        var (moments, gradients, partials) = (bench.Upload(before), bench.Upload(gradient), bench.Allocate<float>(2 * Shares));
        var (table, scalars, x) = (bench.Upload(matrices), Scalars(bench, finite: 1), bench.Allocate<ushort>(2 * size));

        bench.Launch("muon_momentum", new Extent(Shares, 2), 256, moments, gradients, partials, table, scalars, Momentum);
        bench.Launch("muon_normalize", new Extent(Tiles(rows, columns), 2), new Extent(32, 8), x, moments, gradients, partials, Shares, table, scalars, Momentum);

        var (after, normalized) = (moments.Download(), Bf16.ToDoubles(x.Download()));
        for (var matrix = 0; matrix < 2; matrix++)
        {
            var (at, moment) = ((int)matrices[matrix].Offset, (int)matrices[matrix].Moment);
            var direction = new double[size];
            for (var i = 0; i < size; i++)
            {
                var fresh = (double)Factor * gradient[at + i];
                var kept = before[moment + i] + (fresh - before[moment + i]) * (1 - (double)Momentum);
                direction[i] = fresh + (kept - fresh) * Momentum;
                Agreement.Near($"momentum[{i}]", new Expected(kept, 4 * Expected.Unit * (Math.Abs(fresh) + Math.Abs(before[moment + i]))), after[moment + i]);
            }
            var norm = Math.Sqrt(direction.Sum(value => value * value));
            for (var i = 0; i < size; i++)
            {
                var place = rows > columns ? i % columns * rows + i / columns : i;
                // Rounded to bf16 once, after some roundings of float32.
                Assert.Equal(direction[i] / norm, normalized[matrix * size + place], Math.Abs(direction[i]) / norm / 255 + 1e-6);
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Weights_go_down_by_the_turned_result_and_decay(string device, string shape)
    {
        using var bench = new KernelBench(device);
        var (matrices, rows, columns, size) = Matrices(shape);
        var before = bench.Random.DrawFloats(3 * size, ValueKind.Normal);
        var (weights, gradients) = (new MasterArrays(bench, before), bench.Upload(bench.Random.DrawFloats(3 * size, ValueKind.Normal)));
        var rounded = new ushort[2 * size];
        for (var i = 0; i < rounded.Length; i++) rounded[i] = Bf16.Nearest(bench.Random.Draw(ValueKind.Normal));

        bench.Launch("muon_update", new Extent(Tiles(rows, columns), 2), new Extent(32, 8), weights.High, weights.Low, gradients, bench.Upload(rounded),
            bench.Upload(matrices), Scalars(bench, finite: 1), WeightDecay);

        var (after, update, cleared) = (weights.Download(), Bf16.ToDoubles(rounded), gradients.Download());
        for (var matrix = 0; matrix < 2; matrix++)
            for (var i = 0; i < size; i++)
            {
                var at = (int)matrices[matrix].Offset + i;
                var change = (double)Rate * matrices[matrix].Rate * update[matrix * size + (rows > columns ? i % columns * rows + i / columns : i)];
                Agreement.Near($"weight[{at}]", new Expected(before[at] * (1 - (double)Rate * WeightDecay) - change, 4 * Expected.Unit * (Math.Abs(before[at]) + Math.Abs(change))), after[at]);
                Assert.Equal(0f, cleared[at]);
            }
        Assert.Equal(before[size..(2 * size)], after[size..(2 * size)]); // between the two
    }

    [Theory, MemberData(nameof(Cases))]
    public void A_step_that_is_not_finite_changes_nothing_but_clears_the_gradient(string device, string shape)
    {
        using var bench = new KernelBench(device);
        var (matrices, rows, columns, size) = Matrices(shape);
        var (before, momenta) = (bench.Random.DrawFloats(3 * size, ValueKind.Normal), bench.Random.DrawFloats(2 * size, ValueKind.Normal));
        var gradient = bench.Random.DrawFloats(3 * size, ValueKind.Normal);
        gradient[0] = float.NaN;
        var (weights, gradients, moments) = (new MasterArrays(bench, before), bench.Upload(gradient), bench.Upload(momenta));
        var (partials, table, scalars, x) = (bench.Allocate<float>(2 * Shares), bench.Upload(matrices), Scalars(bench, finite: 0), bench.Allocate<ushort>(2 * size));

        bench.Launch("muon_momentum", new Extent(Shares, 2), 256, moments, gradients, partials, table, scalars, Momentum);
        bench.Launch("muon_normalize", new Extent(Tiles(rows, columns), 2), new Extent(32, 8), x, moments, gradients, partials, Shares, table, scalars, Momentum);
        bench.Launch("muon_update", new Extent(Tiles(rows, columns), 2), new Extent(32, 8), weights.High, weights.Low, gradients, x, table, scalars, WeightDecay);

        Assert.Equal(before, weights.Download());
        Assert.Equal(momenta, moments.Download());
        Assert.All(gradients.Download()[..size], value => Assert.Equal(0f, value));
    }

    // The second one lies a matrix further on; their momenta lie behind one another.
    private static (MuonMatrix[] Matrices, int Rows, int Columns, int Size) Matrices(string shape)
    {
        var (rows, columns) = (int.Parse(shape.Split(" x ")[0]), int.Parse(shape.Split(" x ")[1]));
        var size = rows * columns;
        return ([
            new MuonMatrix { Offset = 0, Moment = 0, Rows = rows, Columns = columns, Rate = 1.5f },
            new MuonMatrix { Offset = 2 * size, Moment = size, Rows = rows, Columns = columns, Rate = 0.5f },
        ], rows, columns, size);
    }

    private static int Tiles(int rows, int columns) => (rows + 31) / 32 * ((columns + 31) / 32);

    private static DeviceArray<StepScalars> Scalars(KernelBench bench, float finite) =>
        bench.Upload([new StepScalars { LearningRate = Rate, GradientFactor = Factor, Finite = finite }]);
}
