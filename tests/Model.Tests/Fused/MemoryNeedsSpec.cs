using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Optimizers;

namespace Streaming.Model.Tests.Fused;

public sealed class MemoryNeedsSpec
{
    private const long Gibibyte = 1L << 30;
    private const int Multiprocessors = 132;

    // The recipe's model: 355,421,184 parameters.
    private static readonly FusedShape Recipe = FusedShape.From(new MistralConfig
    {
        HiddenSize = 1024,
        IntermediateSize = 2400,
        LayerCount = 24,
        HeadCount = 16,
        KeyValueHeadCount = 8,
        HeadSize = 64,
        VocabularySize = 50257,
    });

    private static readonly ParameterLayout Layout = new(Recipe);

    private static MemoryNeeds Needs(OptimizerKind optimizer = OptimizerKind.AdamW, Precision precision = Precision.BFloat16) =>
        new(Recipe, Layout, optimizer, precision, 1024, Multiprocessors);

    [Theory]
    [InlineData(OptimizerKind.AdamW, Precision.BFloat16, 16.0)]
    [InlineData(OptimizerKind.AdamW, Precision.Float16, 18.0)]
    [InlineData(OptimizerKind.AdamW, Precision.Float8, 18.0)]
    public void Bytes_a_parameter(OptimizerKind optimizer, Precision precision, double expected) =>
        Assert.Equal(expected, Needs(optimizer, precision).ParameterBytes / (double)Layout.Count, 1e-3);

    [Fact]
    public void Moments_take_what_their_kind_says()
    {
        long embedding = Layout.LayersBegin, norms = Layout.Count - Layout.Norms, matrices = Layout.Norms - Layout.LayersBegin;
        long layers = Layout.LayersEnd - Layout.LayersBegin;
        double Moments(OptimizerKind optimizer) => new MomentPlan(Layout, optimizer).Bytes;
        // Every part is rounded up to 256 bytes.
        AtMostAbove(8.0 * Layout.Count, Moments(OptimizerKind.AdamW));
        AtMostAbove(8.0 * (embedding + norms) + (2 + 8.0 / 256) * matrices, Moments(OptimizerKind.AdamW8Bit));
        AtMostAbove(8.0 * (Layout.Count - layers) + 4.0 * layers, Moments(OptimizerKind.Muon));

        static void AtMostAbove(double expected, double actual) => Assert.InRange(actual - expected, 0, 4096);
    }

    [Theory, InlineData(OptimizerKind.AdamW), InlineData(OptimizerKind.AdamW8Bit), InlineData(OptimizerKind.Muon)]
    public void Ranges_cover_every_parameter_once_and_tied_embeddings_too(OptimizerKind optimizer)
    {
        foreach (var tied in new[] { false, true })
        {
            var layout = new ParameterLayout(FusedShape.From(Recipe.Model with { TieWordEmbeddings = tied }));
            var plan = new MomentPlan(layout, optimizer);
            Assert.Equal(layout.Count, plan.Ranges.Sum(range => range.Count));
            Assert.Equal(plan.Ranges.Skip(1).Select(range => range.Begin), plan.Ranges.SkipLast(1).Select(range => range.End));
            foreach (var entry in layout.Entries)
            {
                var range = plan.At(entry.Offset);
                Assert.True(entry.Offset + entry.Count <= range.End, entry.Name);
                var parameter = Streaming.Model.Parameters.ModelParameter.Of(Recipe.Model with { TieWordEmbeddings = tied }).Single(other => other.Name == entry.Name);
                Assert.Equal(UpdateRules.For(optimizer, parameter), range.Rule);
            }
        }
    }

    [Fact]
    public void Memory_is_that_measured_on_an_H100()
    {
        // docs/benchmarks: 21.9 GiB at 32 rows, 7.7 GiB at 4, all that came into use since the engine was made.
        Assert.Equal(21.9, Needs().Bytes(32) / (double)Gibibyte, 0.05 * 21.9);
        Assert.Equal(7.7, Needs().Bytes(4) / (double)Gibibyte, 0.05 * 7.7);
    }

    [Fact]
    public void The_largest_micro_batch_fits_and_one_more_row_does_not()
    {
        foreach (var available in new[] { 8 * Gibibyte, 10 * Gibibyte, 24 * Gibibyte })
        {
            var rows = Needs().LargestRows(available, 1000);
            Assert.InRange(rows, 1, 999);
            Assert.True(Needs().Bytes(rows) <= available && Needs().Bytes(rows + 1) > available);
            Assert.Equal(Math.Min(rows, 5), Needs().LargestRows(available, 5));
        }
        Assert.Equal(0, Needs().LargestRows(Gibibyte, 1000));
    }

    [Fact]
    public void The_remedy_names_the_setting_and_a_size_that_fits()
    {
        Assert.Equal($"set training.per-device-train-batch-size to {Needs().LargestRows(16 * Gibibyte, 31)} or less", Needs().Remedy(16 * Gibibyte, 32));
        // Too little for one row with float32 moments, enough with those of 8 bits.
        var between = (Needs().Bytes(1) + Needs(OptimizerKind.AdamW8Bit).Bytes(1)) / 2;
        Assert.StartsWith("set training.optimizer = adamw-8bit and training.per-device-train-batch-size to ", Needs().Remedy(between, 4), StringComparison.Ordinal);
        var shorter = Needs(OptimizerKind.Muon);
        Assert.Equal("set training.per-device-train-batch-size to 1 and data.block-size to 512 or less", shorter.Remedy((shorter with { Tokens = 512 }).Bytes(1), 4));
        Assert.Equal("weights, gradients and moments alone take 5.3 GiB: set training.offload and training.recompute = auto, or choose a smaller model in model.config", Needs().Remedy(2 * Gibibyte, 4));
        Assert.Equal("a micro-batch of 64 needs about 40.0 GiB of device memory and 22.5 GiB are free: set x",
            new OutOfDeviceMemoryException(64, 40 * Gibibyte, 45 * Gibibyte / 2, "set x").Message);
    }

    [Fact]
    public void Muons_matrices_are_taken_together_by_shape()
    {
        var range = new MomentPlan(Layout, OptimizerKind.Muon).Ranges.Single(range => range.Rule == UpdateRule.Muon);
        var plan = new MuonPlan(Layout, range, 1L << 30);
        Assert.Equal(24 * 7, plan.Matrices.Length);
        Assert.Equal(24 * 7, plan.Batches.Sum(batch => batch.Count));
        // Queries and outputs are square, keys and values half as high; gate and up are turned, so that they lie as down does.
        Assert.Equal([(1024, 1024, 48), (512, 1024, 48), (1024, 2400, 72)],
            plan.Batches.GroupBy(batch => (batch.Rows, batch.Columns)).Select(group => (group.Key.Rows, group.Key.Columns, group.Sum(batch => batch.Count))));
        Assert.All(plan.Batches, batch => Assert.InRange(batch.Count, 1, 8));
        Assert.All(plan.Matrices, matrix => Assert.Equal(0.2 * Math.Sqrt(Math.Max(matrix.Rows, matrix.Columns)), matrix.Rate, 1e-6));
        Assert.Equal(plan.Batches.Max(batch => batch.Bytes), plan.Bytes);
        // With little memory one matrix at a time, however much that takes.
        Assert.All(new MuonPlan(Layout, range, 1).Batches, batch => Assert.Equal(1, batch.Count));
    }
}
