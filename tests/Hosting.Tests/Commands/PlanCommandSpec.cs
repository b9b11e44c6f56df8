using Streaming.Actors;
using Streaming.Hosting.Commands;

namespace Streaming.Hosting.Tests.Commands;

public sealed class PlanCommandSpec
{
    [Fact]
    public async Task Every_level_stands_in_the_table_with_memory_and_time_and_what_the_configuration_leads_to_behind_it()
    {
        var (code, output, errors) = await Run("--set", "training.offload=auto", "--set", "training.recompute=auto");
        Assert.Equal((ExitCodes.Done, ""), (code, errors));
        var lines = output.TrimEnd('\n').Split('\n');
        string[] levels = ["none", "optimizer", "parameters"], recomputations = ["none", "attention", "layer", "host"];
        var rows = lines[3..^1].Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        Assert.Equal(levels.SelectMany(level => recomputations.Select(recompute => (level, recompute))), rows.Select(row => (row[0], row[1])));
        Assert.All(rows, row => Assert.All(row[2..5], figure => Assert.True(double.Parse(figure, System.Globalization.CultureInfo.InvariantCulture) >= 0)));
        Assert.StartsWith("offload none, recompute none: about ", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_adapters_there_is_no_optimiser_state_to_offload()
    {
        var (code, output, errors) = await Run("--set", "training.lora.rank=8", "--set", "training.recompute=auto");
        Assert.Equal((ExitCodes.Done, ""), (code, errors));
        Assert.Equal(["none none", "none attention", "none layer", "none host", "parameters none", "parameters attention", "parameters layer", "parameters host"], output.TrimEnd('\n').Split('\n')[3..^1].Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2])));
        (_, output, _) = await Run("--set", "training.lora.rank=8", "--set", "training.offload=optimizer");
        Assert.EndsWith("set training.offload = none, or parameters, which has the model in host memory", output.TrimEnd('\n'), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1MB", "may take 0.0 GiB: set a smaller training.per-device-train-batch-size")]
    [InlineData("200 MiB", "GiB of device memory with training.offload = ")]
    public async Task What_does_not_fit_is_said_below_the_table(string limit, string expected)
    {
        var (code, output, _) = await Run("--set", $"training.memory-limit={limit}");
        Assert.Equal(ExitCodes.Done, code);
        Assert.Contains(expected, output.TrimEnd('\n').Split('\n')[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("training.memory-limit=12", "training.memory-limit must be none or a size with its unit (MB, MiB, GB, GiB)")]
    [InlineData("training.memory-limit=-1GiB", "training.memory-limit must be none or a size with its unit")]
    [InlineData("training.memory-limit=1kB", "training.memory-limit must be none or a size with its unit")]
    [InlineData("training.offload=disk", "training.offload must be none, optimizer, parameters or auto, was disk")]
    [InlineData("training.recompute=all", "training.recompute must be none, attention, layer, host or auto, was all")]
    [InlineData("torch.device=cpu", "is about the fused engine on a CUDA GPU")]
    [InlineData("torch.precision=float32", "is about the fused engine on a CUDA GPU")]
    public async Task A_wrong_value_is_one_sentence(string assignment, string expected)
    {
        var (code, output, errors) = await Run("--set", assignment);
        Assert.Equal((ExitCodes.WrongUsage, ""), (code, output));
        Assert.Contains(expected, Assert.Single(errors.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        using StringWriter output = new(), errors = new();
        return (await CommandLine.RunAsync(Root.Create(), ["plan", .. arguments], output, errors), output.ToString(), errors.ToString());
    }
}
