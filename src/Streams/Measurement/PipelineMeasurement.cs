using System.Globalization;
using System.Text.Json;

namespace Streaming.Streams.Measurement;

/// <summary>How fast the text path is.</summary>
/// <param name="Stages">Each stage alone, on one thread, in the text's order.</param>
/// <param name="Whole">The path as a trainer sees it that takes every batch at once.</param>
public sealed record PipelineMeasurement(IReadOnlyList<StageMeasurement> Stages, PathMeasurement Whole)
{
    /// <summary>A table for people.</summary>
    public IEnumerable<string> ToLines()
    {
        yield return Format($"{"stage",-12}{"MB/s",10}{"tokens/s",14}");
        foreach (var stage in Stages)
            yield return Format($"{stage.Name,-12}{stage.MegabytesPerSecond,10:F1}{stage.TokensPerSecond,14:N0}");
        yield return Format($"{"whole path",-12}{Whole.MegabytesPerSecond,10:F1}{Whole.TokensPerSecond,14:N0}   {Whole.Workers} workers, {Whole.Bytes / 1e6:F1} MB of text in {Whole.Elapsed.TotalSeconds:F2} s, {Whole.ProcessorTime.TotalSeconds:F2} s of processor time");
        yield return Format($"allocated {Whole.AllocatedBytesPerLine:F1} bytes a line over {Whole.Lines:N0} lines, {Whole.Collections} collections");
        yield return Format($"peak memory {Whole.PeakWorkingSetBytes / 1e6:F0} MB resident, {Whole.PeakHeapBytes / 1e6:F0} MB managed");
    }

    /// <summary>One line of JSON for programs: times in seconds, rates in MB (10^6 bytes) and tokens a second.</summary>
    public string ToJson() => JsonSerializer.Serialize(
        new
        {
            Stages = Stages.Select(stage => new { stage.Name, Seconds = stage.Busy.TotalSeconds, stage.MegabytesPerSecond, stage.TokensPerSecond }),
            Whole.Workers,
            Whole.Bytes,
            Whole.Lines,
            Whole.Tokens,
            Seconds = Whole.Elapsed.TotalSeconds,
            ProcessorSeconds = Whole.ProcessorTime.TotalSeconds,
            Whole.MegabytesPerSecond,
            Whole.TokensPerSecond,
            Whole.AllocatedBytesPerLine,
            Whole.Collections,
            Whole.PeakHeapBytes,
            Whole.PeakWorkingSetBytes,
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
/// <param name="Workers">Normalisations, and tokenisations, under way at once.</param>
/// <param name="Bytes">UTF-8 bytes of source text.</param>
/// <param name="Lines">Lines of it.</param>
/// <param name="Tokens">Tokens in the batches.</param>
/// <param name="Elapsed">From the start of the graph to the last batch.</param>
/// <param name="ProcessorTime">Of the whole process meanwhile, over all cores.</param>
/// <param name="AllocatedBytes">Managed memory allocated meanwhile, by the whole process.</param>
/// <param name="Collections">Garbage collections meanwhile.</param>
/// <param name="PeakHeapBytes">Largest managed heap that was seen.</param>
/// <param name="PeakWorkingSetBytes">Largest resident memory of the process since its start.</param>
/// <param name="Statistics">What the stages counted.</param>
public sealed record PathMeasurement(
    int Workers, long Bytes, long Lines, long Tokens, TimeSpan Elapsed, TimeSpan ProcessorTime, long AllocatedBytes, int Collections,
    long PeakHeapBytes, long PeakWorkingSetBytes, PipelineStatistics Statistics)
{
    public double MegabytesPerSecond => Bytes / 1e6 / Elapsed.TotalSeconds;
    public double TokensPerSecond => Tokens / Elapsed.TotalSeconds;
    public double AllocatedBytesPerLine => Lines > 0 ? (double)AllocatedBytes / Lines : 0;
}
