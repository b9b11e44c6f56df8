using Streaming.Model.Adapters;
using Streaming.Model.Engines;

namespace Streaming.Model.Tests.Engines;

public sealed class CombinationSpec
{
    private static readonly LoraOptions Lora = new() { Rank = 8 };

    /// <summary>Every combination of optimiser, precision, residual stream, level, recomputation and adapters, and what is said of it.</summary>
    [Fact]
    public void Every_combination_computes_or_is_refused_with_a_key_and_what_to_set()
    {
        var refused = 0;
        foreach (var optimizer in Enum.GetValues<OptimizerKind>())
            foreach (var precision in Enum.GetValues<Precision>())
                foreach (var wide in new[] { false, true })
                    foreach (var offload in Enum.GetValues<OffloadLevel>())
                        foreach (var recompute in Enum.GetValues<Recomputation>())
                            foreach (var lora in new[] { null, Lora })
                            {
                                var why = new Combination(optimizer, precision, wide, offload, recompute, lora).WhyNot;
                                var fits = lora is null
                                    ? !(optimizer == OptimizerKind.Muon && offload != OffloadLevel.None) && !(precision == Precision.Float8 && offload == OffloadLevel.Parameters)
                                        && !(precision == Precision.Float8 && wide && recompute != Recomputation.None)
                                    : optimizer == OptimizerKind.AdamW && precision != Precision.Float8 && offload != OffloadLevel.Optimizer;
                                Assert.Equal(fits, why is null);
                                if (why is null) continue;
                                refused++;
                                Assert.Matches(@"^training\.[a-z.]+ .*: set [a-z]+\.[a-z.-]+ = [a-z0-9-]+", why);
                                Assert.DoesNotContain('\n', why);
                            }
        Assert.True(refused > 100);
    }

    [Theory]
    [InlineData(OptimizerKind.Muon, Precision.BFloat16, OffloadLevel.Optimizer, Recomputation.None, false, "set training.optimizer = adamw or adamw-8bit, or training.offload = none")]
    [InlineData(OptimizerKind.AdamW, Precision.Float8, OffloadLevel.Parameters, Recomputation.None, false, "set torch.precision = bf16, or training.offload = optimizer")]
    [InlineData(OptimizerKind.AdamW, Precision.Float8, OffloadLevel.None, Recomputation.Layer, false, "set torch.residual = bf16, or torch.precision = bf16")]
    [InlineData(OptimizerKind.AdamW, Precision.BFloat16, OffloadLevel.Optimizer, Recomputation.None, true, "set training.offload = none, or parameters, which has the model in host memory")]
    [InlineData(OptimizerKind.AdamW8Bit, Precision.BFloat16, OffloadLevel.None, Recomputation.None, true, "training.optimizer is adamw-8bit: set training.optimizer = adamw")]
    [InlineData(OptimizerKind.AdamW, Precision.Float8, OffloadLevel.None, Recomputation.None, true, "set torch.precision = bf16")]
    public void Each_refusal_names_its_remedy(OptimizerKind optimizer, Precision precision, OffloadLevel offload, Recomputation recompute, bool adapts, string remedy) =>
        Assert.EndsWith(remedy, new Combination(optimizer, precision, true, offload, recompute, adapts ? Lora : null).WhyNot, StringComparison.Ordinal);

    [Fact]
    public void What_the_planner_is_to_choose_is_no_reason_to_refuse()
    {
        Assert.Null(new Combination(OptimizerKind.Muon, null, true, null, null).WhyNot);
        Assert.Null(new Combination(OptimizerKind.AdamW, Precision.Float8, true, null, null).WhyNot);
        Assert.Null(new Combination(OptimizerKind.AdamW, null, true, null, Recomputation.Layer, Lora).WhyNot);
    }
}
