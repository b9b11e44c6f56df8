using Streaming.Model.Engines;
using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

public sealed class ActivationPlanSpec
{
    private const double GiB = 1 << 30;

    private static readonly FusedShape Recipe = FusedShape.From(TestShapes.Named("recipe").Model with { LayerCount = 24 });

    // An H100 has 132 multiprocessors.
    private static double PredictedGiB(int rows, bool eightBits, bool wide) =>
        new MemoryNeeds(Recipe, new ParameterLayout(Recipe), OptimizerKind.AdamW, eightBits ? Precision.Float8 : Precision.BFloat16, 1024, 132, wide).Bytes(rows) / GiB;

    [Theory]
    [InlineData(4, false), InlineData(4, true), InlineData(32, false), InlineData(32, true)]
    public void A_wide_residual_stream_costs_two_bytes_a_hidden_value_once(int rows, bool eightBits)
    {
        // Two planes instead of one scratch buffer, and a float for each row of 49 norms.
        var expected = rows * 1024.0 * (2 * 1024 + 49 * 4) / GiB;

        Assert.Equal(expected, PredictedGiB(rows, eightBits, wide: true) - PredictedGiB(rows, eightBits, wide: false), 1e-4);
    }

    [Theory]
    [InlineData(4, 8, 7.69), InlineData(32, 24, 21.85)]
    public void The_338M_model_fits_into_what_is_asked(int rows, double limit, double measured)
    {
        // Measured on an H100 without the wide stream, libraries included.
        var predicted = measured + PredictedGiB(rows, eightBits: false, wide: true) - PredictedGiB(rows, eightBits: false, wide: false);
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
