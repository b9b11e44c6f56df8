using Streaming.Model.Optimizers;
using Streaming.Model.Reference;
using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Model.Tests.Optimizers;

public sealed class MuonSpec
{
    [Theory, InlineData(48, 48), InlineData(24, 64), InlineData(64, 24)]
    public void An_update_keeps_the_singular_vectors_and_makes_the_singular_values_alike(int rows, int columns)
    {
        using var temporaries = Begin(1);
        var matrix = randn(rows, columns);
        var (u, s, vh) = linalg.svd(matrix, fullMatrices: false);

        var result = u.t().matmul(Muon.Orthogonalize(matrix)).matmul(vh.t());

        // Diagonal in the same bases. The iteration ends between 0.68 and 1.13 from any value above 0.01 of the norm; and bf16's 8 bits.
        var values = new float[result.NumberOfElements];
        HostTensors.Read(result.contiguous(), values);
        var count = (int)s.NumberOfElements;
        var shares = new float[count];
        HostTensors.Read(s.div(matrix.norm()), shares);
        for (var i = 0; i < values.Length; i++)
        {
            if (i / count != i % count) Assert.InRange(values[i], -0.03f, 0.03f);
            else if (shares[i / count] > 0.01f) Assert.InRange(values[i], 0.64f, 1.2f);
        }
    }

    [Theory, InlineData(32, 32), InlineData(24, 72), InlineData(72, 24)]
    public void The_iteration_is_that_of_the_plain_reference(int rows, int columns)
    {
        using var temporaries = Begin(2);
        var matrix = randn(rows, columns);
        var values = new float[rows * columns];
        HostTensors.Read(matrix, values);
        var actual = new float[rows * columns];

        HostTensors.Read(Muon.Orthogonalize(matrix).contiguous(), actual);

        // Fifteen products in bf16, each rounded by 2^-9 on average, against double without rounding.
        var expected = MuonReference.Orthogonalize([.. values.Select(value => (double)value)], rows, columns);
        Assert.True(MuonReference.RelativeError(actual, expected) < 0.02, $"{MuonReference.RelativeError(actual, expected)}");
    }

    [Fact]
    public void A_steps_update_has_the_root_mean_square_of_adamws()
    {
        using var temporaries = Begin(3);
        const double rate = 1e-3, decay = 0.1;
        foreach (var (rows, columns) in new[] { (64, 64), (32, 96), (96, 32) })
        {
            var before = randn(rows, columns);
            var parameter = new OptimizedParameter(before.clone(), randn(rows, columns).mul(1e-4f), zeros(rows, columns), zeros(rows, columns), Decays: true, UpdateRule.Muon);

            Muon.Step(parameter, rate, decay);

            var update = before.mul(1 - rate * decay).sub(parameter.Weight).div(rate);
            // Singular values near 1, of which there are min(rows, columns): 0.2 by their root mean square, 0.7 to 1.2.
            Assert.InRange(HostTensors.Scalar(update.pow(2).mean().sqrt()), 0.14, 0.24);
            Assert.Equal(0, HostTensors.Scalar(parameter.SecondMoment.abs().max()));
        }
    }

    private static DisposeScope Begin(long seed)
    {
        Streaming.Model.Libtorch.LibtorchRuntime.Load();
        var scope = NewDisposeScope();
        random.manual_seed(seed);
        return scope;
    }
}
