using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Offload;
using Streaming.Model.Fused.Planning;

namespace Streaming.Model.Tests.Fused.Offload;

public sealed class MemoryPlannerSpec
{
    private const double GiB = 1 << 30;

    private static readonly MistralConfig Recipe = TestShapes.Named("recipe").Model with { LayerCount = 24 };

    private static readonly MistralConfig SevenBillion = new()
    {
        VocabularySize = 32000,
        HiddenSize = 4096,
        IntermediateSize = 14336,
        LayerCount = 32,
        HeadCount = 32,
        KeyValueHeadCount = 8,
        HeadSize = 128,
    };

    private static MemoryPlanner Planner(MistralConfig model, OptimizerKind kind, int rows, int microBatches, Machine? machine = null, Precision precision = Precision.BFloat16) =>
        new(model, kind, new FusedEngineOptions(rows, 1024, 0, false, "", precision, WideResidual: true), microBatches, machine ?? Machine(79, 120));

    private static Machine Machine(double device, double host) => new("a machine", 132, (long)(device * GiB), (long)(host * GiB), MachineRates.H100);

    /// <summary>Measured on an H100 80GB (docs/benchmarks): device memory in use since the engine was built, the process's largest resident size, seconds a step.</summary>
    [Theory]
    [InlineData("338M", OptimizerKind.AdamW, 32, 8, OffloadLevel.None, Recomputation.None, 21.91, 2.25, 1.164)]
    [InlineData("338M", OptimizerKind.AdamW, 32, 8, OffloadLevel.None, Recomputation.Layer, 10.82, 2.33, 1.362)]
    [InlineData("338M", OptimizerKind.AdamW, 32, 4, OffloadLevel.None, Recomputation.Host, 8.20, 4.94, 0.754)]
    [InlineData("338M", OptimizerKind.AdamW, 32, 8, OffloadLevel.Optimizer, Recomputation.None, 19.77, 4.98, 1.175)]
    [InlineData("338M", OptimizerKind.AdamW, 32, 8, OffloadLevel.Parameters, Recomputation.Layer, 5.95, 6.21, 1.698)]
    [InlineData("338M", OptimizerKind.AdamW, 8, 8, OffloadLevel.Parameters, Recomputation.Layer, 1.95, 6.31, 0.684)]
    [InlineData("338M", OptimizerKind.AdamW8Bit, 4, 8, OffloadLevel.Parameters, Recomputation.Layer, 1.29, 4.62, 0.546)]
    [InlineData("7B", OptimizerKind.AdamW8Bit, 8, 32, OffloadLevel.Optimizer, Recomputation.None, 72.83, 42.69, 19.30)]
    [InlineData("7B", OptimizerKind.AdamW8Bit, 8, 8, OffloadLevel.Optimizer, Recomputation.Host, 50.65, 46.42, 6.560)]
    [InlineData("7B", OptimizerKind.AdamW, 8, 32, OffloadLevel.Optimizer, Recomputation.None, 74.84, 82.32, 20.33)]
    public void Predictions_are_what_was_measured(
        string model, OptimizerKind kind, int rows, int microBatches, OffloadLevel offload, Recomputation recompute, double device, double host, double seconds)
    {
        var level = Planner(model == "7B" ? SevenBillion : Recipe, kind, rows, microBatches).Levels.Single(level => level.Offload == offload && level.Recompute == recompute);
        Assert.Equal(device, level.DeviceBytes / GiB, 0.05 * device);
        Assert.Equal(host, level.HostBytes / GiB, 0.05 * host);
        // Time is an estimate of the least: a quarter off where many small copies and products alternate.
        Assert.Equal(seconds, level.StepSeconds, 0.25 * seconds);
    }

    /// <summary>Likewise, rank 16 of all matrices upon Mistral 7B's shape.</summary>
    [Theory]
    [InlineData(8, 4, OffloadLevel.None, Recomputation.None, 38.95, 15.08, 1.853)]
    [InlineData(16, 2, OffloadLevel.None, Recomputation.Layer, 26.29, null, 2.405)]
    [InlineData(16, 2, OffloadLevel.None, Recomputation.Host, 19.05, null, 2.414)]
    [InlineData(8, 4, OffloadLevel.Parameters, Recomputation.None, 26.54, 14.92, 2.396)]
    [InlineData(8, 4, OffloadLevel.Parameters, Recomputation.Host, 4.36, 18.75, 3.028)]
    [InlineData(16, 2, OffloadLevel.Parameters, Recomputation.Host, 6.64, 22.38, 2.437)]
    public void Predictions_for_adapters_are_what_was_measured(int rows, int microBatches, OffloadLevel offload, Recomputation recompute, double device, double? host, double seconds)
    {
        var planner = new MemoryPlanner(SevenBillion, OptimizerKind.AdamW, new FusedEngineOptions(rows, 1024, 0, false, "", WideResidual: true,
            Adapters: new AdapterSet(new LoraOptions { Rank = 16 }, "", "", 1)), microBatches, Machine(79, 120));
        var level = planner.Levels.Single(level => level.Offload == offload && level.Recompute == recompute);
        Assert.Equal(device, level.DeviceBytes / GiB, 0.05 * device);
        if (host is { } resident) Assert.Equal(resident, level.HostBytes / GiB, 0.05 * resident);
        Assert.Equal(seconds, level.StepSeconds, 0.25 * seconds);
        Assert.All(planner.Levels, level => Assert.Equal(level.Offload != OffloadLevel.Optimizer, level.WhyNot is null));
    }

    [Fact]
    public void The_fastest_level_that_fits_is_chosen()
    {
        var everything = Planner(Recipe, OptimizerKind.AdamW, 32, 8);
        Assert.Equal((OffloadLevel.None, Recomputation.None), Levels(everything.Choose(null, null)));
        Assert.Equal(OffloadLevel.Optimizer, Planner(SevenBillion, OptimizerKind.AdamW8Bit, 8, 32).Choose(null, null).Offload);
        foreach (var device in new[] { 24.0, 12, 8, 6 })
        {
            var planner = Planner(Recipe, OptimizerKind.AdamW8Bit, 8, 8, Machine(device, 64));
            var chosen = planner.Choose(null, null);
            Assert.True(chosen.DeviceBytes <= device * GiB);
            Assert.All(planner.Levels, level => Assert.True(level.DeviceBytes > device * GiB || level.StepSeconds >= chosen.StepSeconds));
        }
        // What the user fixes stays.
        Assert.Equal(Recomputation.Layer, everything.Choose(null, Recomputation.Layer).Recompute);
        Assert.Equal(OffloadLevel.Parameters, everything.Choose(OffloadLevel.Parameters, null).Offload);

        static (OffloadLevel, Recomputation) Levels(MemoryLevel level) => (level.Offload, level.Recompute);
    }

    /// <summary>Rooms for travelling state take what is free, up to a quarter of the state, and time with it.</summary>
    [Fact]
    public void Free_device_memory_takes_state_that_comes_in_ahead()
    {
        MemoryLevel At(double device) => Planner(Recipe, OptimizerKind.AdamW, 32, 8, Machine(device, 64)).Levels.Single(level => level is { Offload: OffloadLevel.Optimizer, Recompute: Recomputation.None });
        var (scarce, some, plenty) = (At(19), At(20.5), At(79));
        Assert.Equal(Offloading.LeastSlots, scarce.UpdateSlots);
        Assert.InRange(some.UpdateSlots, scarce.UpdateSlots + 1, plenty.UpdateSlots - 1);
        Assert.Equal(Offloading.LeastSlots + (int)(10 * 338e6 / 4 / Offloading.SlotBytes), plenty.UpdateSlots, 1.0);
        foreach (var level in new[] { some, plenty })
        {
            Assert.Equal(level.DeviceBytes - scarce.DeviceBytes, (level.UpdateSlots - scarce.UpdateSlots) * Offloading.SlotBytes);
            Assert.True(level.StepSeconds < scarce.StepSeconds);
        }
        Assert.True(some.DeviceBytes <= 0.95 * 20.5 * GiB);
        Assert.All(Planner(Recipe, OptimizerKind.AdamW, 32, 8).Levels.Where(level => level.Offload != OffloadLevel.Optimizer), level => Assert.Equal(Offloading.LeastSlots, level.UpdateSlots));
    }

    [Fact]
    public void What_was_chosen_is_told_with_what_it_takes_and_what_else_would_have()
    {
        var planner = Planner(SevenBillion, OptimizerKind.AdamW8Bit, 8, 32);
        var sentence = planner.Explain(planner.Choose(null, null));
        Assert.StartsWith("offload optimizer, recompute none: about ", sentence, StringComparison.Ordinal);
        Assert.Contains(" of 79.0 GiB device memory and ", sentence, StringComparison.Ordinal);
        Assert.Contains("(none with recompute none needs ", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_little_memory_is_one_sentence_that_names_the_setting()
    {
        var host = Assert.Throws<HostMemoryException>(() => Planner(SevenBillion, OptimizerKind.AdamW8Bit, 8, 32, Machine(79, 32)).Choose(OffloadLevel.Optimizer, Recomputation.None));
        Assert.Matches("^training.offload = optimizer needs 42[.][0-9] GiB of host memory and 32.0 GiB are free: set ", host.Message);
        var device = Assert.Throws<HostMemoryException>(() => Planner(Recipe, OptimizerKind.AdamW, 32, 8, Machine(12, 64)).Choose(OffloadLevel.None, Recomputation.None));
        Assert.Matches("^the run needs 2[0-9][.][0-9] GiB of device memory with training.offload = none .* may take 12.0 GiB: set training.offload = [a-z]+ and training.recompute = [a-z]+$", device.Message);
        var nothing = Assert.Throws<HostMemoryException>(() => Planner(Recipe, OptimizerKind.AdamW, 32, 8, Machine(1, 64)).Choose(null, null));
        Assert.Contains("training.per-device-train-batch-size", nothing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_computed_together_is_said()
    {
        Assert.Contains("training.optimizer = muon", Assert.Throws<NotSupportedException>(() => Planner(Recipe, OptimizerKind.Muon, 4, 1).Choose(OffloadLevel.Optimizer, null)).Message, StringComparison.Ordinal);
        Assert.Contains("fp8", Assert.Throws<NotSupportedException>(() => Planner(Recipe, OptimizerKind.AdamW, 4, 1, precision: Precision.Float8).Choose(OffloadLevel.Parameters, null)).Message, StringComparison.Ordinal);
        Assert.Equal(OffloadLevel.None, Planner(Recipe, OptimizerKind.Muon, 4, 1).Choose(null, null).Offload);
    }
}
