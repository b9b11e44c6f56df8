using Streaming.Model.Engines;
using Streaming.Model.Libtorch;

namespace Streaming.Model.Tests.Gpu;

/// <summary>
/// The fused engine against what PyTorch computed in float32. Bounds come from the reference engine in bf16 on the CPU, which rounds
/// wherever the fused engine does and in more places: the fused engine may not be further off than that, with some room since two
/// independent sets of roundings differ.
/// </summary>
[Collection(GpuCollection.Name)]
public sealed class TinyReferenceSpec
{
    private static readonly OptimizerOptions Options = new() { Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8, WeightDecay = 0.1, Decay = DecayTarget.All, MaxGradientNorm = 1.0 };

    // fp8 keeps 4 significant bits of a value (3 of a gradient) where bf16 keeps 8: 16 times the error where it rounds. At the 338M
    // shape its gradients were measured to be 12 times as far off as bf16's.
    private static double Room(Precision precision) => precision == Precision.Float8 ? 32 : 2;

    [Theory]
    [InlineData(Precision.BFloat16, false, false)]
    [InlineData(Precision.BFloat16, false, true)]
    [InlineData(Precision.BFloat16, true, false)]
    [InlineData(Precision.Float16, false, false)]
    [InlineData(Precision.Float16, true, true)]
    [InlineData(Precision.Float8, false, false)]
    [InlineData(Precision.Float8, true, false)]
    public void Logits_loss_and_every_gradient_are_those_of_PyTorch(Precision precision, bool wide, bool deterministic)
    {
        Gpu.Require(precision);
        using var tiny = new TinyReference();
        using var engine = Gpu.Fused(tiny.Config, Options, tiny.Weights, tiny.Rows, tiny.InputIds.Length / tiny.Rows, precision, wide, deterministic);
        using var plain = new ReferenceEngine(tiny.Config, Options, Devices.Parse("cpu"), Precision.BFloat16, tiny.Weights);
        var expectedLoss = tiny.Expected.ReadFloats("loss")[0];

        var loss = engine.Evaluate(tiny.InputIds, tiny.Rows);
        var logits = EngineState.Distance(engine.ReadLogits(tiny.InputIds.Length), tiny.Expected.ReadFloats("logits"));
        engine.Accumulate(tiny.InputIds, tiny.Rows, microBatches: 1);
        plain.Accumulate(tiny.InputIds, tiny.Rows, microBatches: 1);

        Gpu.Tell($"loss {loss:f5}, float32 {expectedLoss:f5}, plain bf16 {plain.Evaluate(tiny.InputIds, tiny.Rows):f5}; logits {logits:f5}");
        // Four roundings of logits near 1 would be 0.015; their mean over 60 tokens and more is far less.
        Assert.Equal(expectedLoss, loss, 0.002 * Room(precision));
        // A product's terms are rounded by 2^-9 of each at most, on average by half of that, over some ten products in a row.
        Assert.True(logits < 0.006 * Room(precision), $"logits are {logits} off");
        var expected = tiny.Expected.Tensors.Where(tensor => tensor.Name.StartsWith("grad.", StringComparison.Ordinal))
            .ToDictionary(tensor => tensor.Name["grad.".Length..], tensor => tiny.Expected.ReadFloats(tensor.Name));
        NoFurtherOff(Gradients(engine), EngineState.Read(plain, StateKind.Gradient), expected, precision, most: 1);
    }

    // Without the loss scale that fp16 multiplies the loss by.
    private static Dictionary<string, float[]> Gradients(ITrainingEngine engine)
    {
        var scale = engine.LossScale?.Scale ?? 1;
        return EngineState.Read(engine, StateKind.Gradient).ToDictionary(entry => entry.Key, entry => entry.Value.Select(value => value / scale).ToArray());
    }

    // A parameter on which plain bf16 happens to be lucky is allowed what the median is.
    private static void NoFurtherOff(
        Dictionary<string, float[]> actual, Dictionary<string, float[]> plain, Dictionary<string, float[]> expected, Precision precision, double most)
    {
        Assert.Equal(actual.Count, expected.Count);
        var typical = EngineState.Distances(plain, expected).Median;
        foreach (var (name, values) in expected)
        {
            var (distance, allowed) = (EngineState.Distance(actual[name], values), EngineState.Distance(plain[name], values));
            Gpu.Tell($"{name}: {distance:f4}, plain bf16 {allowed:f4}");
            Assert.True(distance < Math.Min(most, Room(precision) * Math.Max(allowed, typical)), $"{name}: {distance:f4} off, plain bf16 is {allowed:f4} off");
        }
    }

    [Theory]
    [InlineData(Precision.BFloat16, false)]
    [InlineData(Precision.BFloat16, true)]
    [InlineData(Precision.Float16, false)]
    [InlineData(Precision.Float8, false)]
    public void Five_steps_follow_AdamW_in_PyTorch(Precision precision, bool wide)
    {
        Gpu.Require(precision);
        using var tiny = new TinyReference();
        using var engine = Gpu.Fused(tiny.Config, Options, tiny.Weights, tiny.Rows, tiny.InputIds.Length / tiny.Rows, precision, wide);
        using var plain = new ReferenceEngine(tiny.Config, Options, Devices.Parse("cpu"), Precision.BFloat16, tiny.Weights);
        var before = EngineState.Read(engine, StateKind.Weight);
        foreach (var (name, weights) in EngineState.Read(plain, StateKind.Weight))
            Assert.Equal(weights, before[name]); // master weights hold what was loaded, exactly
        var (losses, norms) = (tiny.Expected.ReadFloats("adamw_losses"), tiny.Expected.ReadFloats("adamw_grad_norms"));

        for (var step = 0; step < 5; step++)
        {
            engine.Accumulate(tiny.InputIds, tiny.Rows, microBatches: 1);
            plain.Accumulate(tiny.InputIds, tiny.Rows, microBatches: 1);
            var (result, rough) = (engine.Update(1e-3), plain.Update(1e-3));
            Gpu.Tell($"step {step + 1}: loss {result.Loss:f5} (float32 {losses[step]:f5}, plain bf16 {rough.Loss:f5}), norm {result.GradientNorm:f4} ({norms[step]:f4}, {rough.GradientNorm:f4})");
            Assert.Equal(losses[step], result.Loss, 0.002 * Room(precision));
            Assert.Equal(norms[step], result.GradientNorm, 0.01 * Room(precision) * norms[step]);
            Assert.False(result.Skipped);
        }

        // By how much each parameter moved: where a gradient is smaller than its error, Adam's step may go the other way.
        NoFurtherOff(
            Moved(EngineState.Read(engine, StateKind.Weight)), Moved(EngineState.Read(plain, StateKind.Weight)),
            Moved(before.Keys.ToDictionary(name => name, name => tiny.Expected.ReadFloats("adamw5." + name))), precision, most: 0.9);

        Dictionary<string, float[]> Moved(Dictionary<string, float[]> weights) =>
            weights.ToDictionary(entry => entry.Key, entry => entry.Value.Zip(before[entry.Key], (value, first) => value - first).ToArray());
    }
}
