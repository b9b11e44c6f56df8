using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Streaming.Hosting.Terminal;

/// <summary>A run's status in a dozen lines for people.</summary>
internal static class StatusReport
{
    /// <param name="status">As <c>/api/status</c> gives it.</param>
    public static string Of(JsonElement status)
    {
        var text = new StringBuilder();
        Line("run", $"{Text("name")}, {Text("state")}: {Text("directory")}");
        Line(Text("health") switch { "good" => "well", "bad" => "TROUBLE", _ => "attention" }, Text("verdict"));
        Line("step", $"{Quantity.Count(Number("step"))} of {Quantity.Count(Number("max_steps"))}{(Has("seconds_left") ? $", {Quantity.Time(TimeSpan.FromSeconds(Math.Min(Number("seconds_left"), 1e9)))} left" : "")}");
        if (Has("loss"))
        {
            Line("loss", $"{Quantity.Fixed(Number("mean_loss"))}, gradient norm {Number("gradient_norm").ToString("0.00", CultureInfo.InvariantCulture)}, learning rate {Quantity.Rate(Number("learning_rate"))}");
            Line("speed", $"{Quantity.Count(Number("tokens_per_second"))} tokens/s, {Number("step_seconds").ToString("0.###", CultureInfo.InvariantCulture)} s a step{(Has("mfu") ? $", MFU {Number("mfu").ToString("0.0%", CultureInfo.InvariantCulture)}" : "")}");
        }
        if (status.TryGetProperty("evaluation", out var evaluation))
            Line("validation", $"loss {Quantity.Fixed(evaluation.GetProperty("loss").GetDouble())} after step {evaluation.GetProperty("step").GetInt64()}, best {Quantity.Fixed(evaluation.GetProperty("best_loss").GetDouble())} after step {evaluation.GetProperty("best_step").GetInt64()}");
        if (status.TryGetProperty("checkpoint", out var checkpoint))
            Line("checkpoint", $"step {checkpoint.GetProperty("step").GetInt64()}, {Quantity.Time(TimeSpan.FromSeconds(checkpoint.GetProperty("age_seconds").GetDouble()))} old, {Quantity.Bytes(checkpoint.GetProperty("bytes").GetDouble())}");
        if (status.TryGetProperty("gpu", out var gpu))
            Line("gpu", $"{gpu.GetProperty("name").GetString()}, {Ratio(gpu, "utilization_ratio")} busy");
        foreach (var source in status.GetProperty("sources").EnumerateArray())
            Line("source", $"{source.GetProperty("name").GetString()}: {Quantity.Count(source.GetProperty("tokens").GetDouble())} tokens{(source.TryGetProperty("epoch", out var epoch) ? $", epoch {epoch.GetInt64() + 1}" : "")}");
        return text.ToString().TrimEnd('\n');

        void Line(string name, string value) => text.Append(name.PadRight(12)).Append(ConsoleReport.OneLine(value)).Append('\n');
        bool Has(string name) => status.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number;
        double Number(string name) => Has(name) ? status.GetProperty(name).GetDouble() : double.NaN;
        string Text(string name) => status.GetProperty(name).GetString() ?? "";
    }

    private static string Ratio(JsonElement value, string name) =>
        value.GetProperty(name) is { ValueKind: JsonValueKind.Number } ratio ? ratio.GetDouble().ToString("0%", CultureInfo.InvariantCulture) : "?";
}
