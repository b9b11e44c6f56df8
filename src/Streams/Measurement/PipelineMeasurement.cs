using System.Globalization;
using System.Text.Json;

namespace Streaming.Streams.Measurement;

/// <summary>How fast the text path is.</summary>
/// <param name="Stages">Each stage alone, on one thread, in the text's order.</param>
/// <param name="Whole">The path as a trainer sees it that takes every batch at once, on so many cores each.</param>
public sealed record PipelineMeasurement(IReadOnlyList<StageMeasurement> Stages, IReadOnlyList<PathMeasurement> Whole)
{
    /// <summary>Two tables for people: the stages, and the whole path.</summary>
    public IEnumerable<string> ToLines()
    {
        yield return Format($"{"stage, alone",-14}{"MB/s",12}{"tokens/s",18}");
        foreach (var stage in Stages)
            yield return Format($"{stage.Name,-14}{stage.MegabytesPerSecond,12:F1}{stage.TokensPerSecond,18:N0}");
        yield return "";
        yield return Format($"{"whole path",-14}{"MB/s",12}{"tokens/s",18}{"times",8}{"CPU s",8}{"CPU",6}{"B a line",10}{"GCs",5}{"peak MB",9}{"managed",9}");
        foreach (var whole in Whole)
        {
            yield return Format(
                $"{$"{whole.Cores} {(whole.Cores == 1 ? "core" : "cores")}",-14}{whole.MegabytesPerSecond,12:F1}{whole.TokensPerSecond,18:N0}{whole.TokensPerSecond / Whole[0].TokensPerSecond,8:F2}{whole.ProcessorTime.TotalSeconds,8:F2}{whole.ProcessorTime / whole.Elapsed / whole.Cores,6:P0}{whole.AllocatedBytesPerLine,10:F1}{whole.Collections,5}{whole.PeakWorkingSetBytes / 1e6,9:F0}{whole.PeakHeapBytes / 1e6,9:F0}");
        }
        var any = Whole[^1];
        yield return Format($"{any.Bytes / 1e6:F1} MB of text, {any.Lines:N0} lines, {any.Tokens:N0} tokens; CPU: processor time, all cores together, and its share of what they had; B a line: bytes allocated; peak: resident memory");
    }

    /// <summary>One line of JSON for programs: times in seconds, rates in MB (10^6 bytes) and tokens a second.</summary>
    public string ToJson() => JsonSerializer.Serialize(
        new
        {
            Stages = Stages.Select(stage => new { stage.Name, Seconds = stage.Busy.TotalSeconds, stage.MegabytesPerSecond, stage.TokensPerSecond }),
            Whole = Whole.Select(whole => new
            {
                whole.Cores,
                whole.Workers,
                whole.Bytes,
                whole.Lines,
                whole.Tokens,
                Seconds = whole.Elapsed.TotalSeconds,
                ProcessorSeconds = whole.ProcessorTime.TotalSeconds,
                whole.MegabytesPerSecond,
                whole.TokensPerSecond,
                whole.AllocatedBytesPerLine,
                whole.Collections,
                whole.PeakHeapBytes,
                whole.PeakWorkingSetBytes,
            }),
        },
        s_json);

    private static readonly JsonSerializerOptions s_json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private static string Format(FormattableString line) => line.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One stage alone on one thread.</summary>
/// <param name="Name">As in <see cref="PipelineStatistics"/>.</param>
/// <param name="Bytes">UTF-8 bytes of source text, the same for all stages.</param>
/// <param name="Tokens">What the text became.</param>
/// <param name="Busy">Time at work.</param>
public sealed record StageMeasurement(string Name, long Bytes, long Tokens, TimeSpan Busy)
{
    public double MegabytesPerSecond => Busy > TimeSpan.Zero ? Bytes / 1e6 / Busy.TotalSeconds : 0;
    public double TokensPerSecond => Busy > TimeSpan.Zero ? Tokens / Busy.TotalSeconds : 0;
}

/// <summary>The whole path.</summary>
/// <param name="Cores">Processors that the process could use.</param>
/// <param name="Workers">Normalisations, and tokenisations, under way at once.</param>
/// <param name="Bytes">UTF-8 bytes of source text.</param>
/// <param name="Lines">Lines of it.</param>
/// <param name="Tokens">Tokens in the batches.</param>
/// <param name="Elapsed">From the start of the graph to the last batch.</param>
/// <param name="ProcessorTime">Of the whole process meanwhile, over all cores.</param>
/// <param name="AllocatedBytes">Managed memory allocated meanwhile, by the whole process.</param>
/// <param name="Collections">Garbage collections meanwhile.</param>
/// <param name="PeakHeapBytes">Largest managed heap that was seen.</param>
/// <param name="PeakWorkingSetBytes">Largest resident memory of the process meanwhile.</param>
/// <param name="Statistics">What the stages counted.</param>
public sealed record PathMeasurement(
    int Cores, int Workers, long Bytes, long Lines, long Tokens, TimeSpan Elapsed, TimeSpan ProcessorTime, long AllocatedBytes, int Collections,
    long PeakHeapBytes, long PeakWorkingSetBytes, PipelineStatistics Statistics)
{
    public double MegabytesPerSecond => Bytes / 1e6 / Elapsed.TotalSeconds;
    public double TokensPerSecond => Tokens / Elapsed.TotalSeconds;
    public double AllocatedBytesPerLine => Lines > 0 ? (double)AllocatedBytes / Lines : 0;
}
