using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

public sealed class ActivationPlanSpec
{
    private const double GiB = 1 << 30;

    private static readonly FusedShape Recipe = FusedShape.From(TestShapes.Named("recipe").Model with { LayerCount = 24 });

    // An H100 has 132 multiprocessors.
    private static double PredictedGiB(int rows, bool eightBits, bool wide) =>
        FusedBuffers.Predict(Recipe, new ParameterLayout(Recipe), rows, 1024, 132, eightBits, wide) / GiB;

    [Theory]
    [InlineData(4, false), InlineData(4, true), InlineData(32, false), InlineData(32, true)]
    public void A_wide_residual_stream_costs_two_bytes_a_hidden_value_once(int rows, bool eightBits)
    {
        // Two planes instead of one scratch buffer, and a float for each row of 49 norms.
        var expected = rows * 1024.0 * (2 * 1024 + 49 * 4) / GiB;

        Assert.Equal(expected, PredictedGiB(rows, eightBits, wide: true) - PredictedGiB(rows, eightBits, wide: false), 1e-4);
    }

    [Theory]
    [InlineData(4, 8, 0.3), InlineData(32, 24, 0.6)]
    public void The_338M_model_fits_into_what_is_asked(int rows, double limit, double libraries)
    {
        // Attention's results are libtorch's: a row of queries and a float for each head, of each layer.
        var attention = rows * 1024.0 * 24 * (2 * 1024 + 4 * 16) / GiB;
        // Beyond both, libraries' workspaces and temporaries: measured 0.25 GiB at 4 rows, 0.54 GiB at 32.
        var predicted = PredictedGiB(rows, eightBits: false, wide: true) + attention + libraries;
        Assert.True(predicted < limit, $"{predicted:f2} GiB");
    }

    [Fact]
    public void No_two_buffers_share_a_byte_and_each_is_aligned()
    {
        foreach (var (eightBits, wide) in new[] { (false, false), (true, false), (false, true), (true, true) })
        {
            var plan = new ActivationPlan(Recipe, 3 * 1024, 1024, 264, 500, eightBits, wide);
            List<long> offsets = [.. plan.Residual, .. plan.Packed, .. plan.Middle, .. plan.GateUp, plan.DResidual, plan.DNormalized, plan.DProduct, plan.DAttention, plan.Logits, plan.Losses, plan.NormPartials, plan.EmbeddingPartials];
            offsets.AddRange(wide ? [plan.Stream, plan.StreamLow, plan.NormScales] : [plan.Normalized]);
            if (eightBits) offsets.AddRange([plan.Normalized8, plan.Product8, plan.DResidual8, plan.DWide8]);

            Assert.Equal(offsets.Count, offsets.Distinct().Count());
            Assert.All(offsets, offset => Assert.True(offset % 256 == 0 && offset < plan.Bytes));
        }
    }
}
