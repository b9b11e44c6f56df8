using System.CommandLine;
using System.Globalization;
using Streaming.Hosting.Benchmarks;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Terminal;
using Streaming.Streams;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming bench pipeline</c>: the text path's throughput on this machine.</summary>
internal static class BenchCommand
{
    public static Command Create() => new("bench", "Measure parts of the program on this machine.") { CreatePipeline() };

    private static Command CreatePipeline()
    {
        var configuration = new ConfigurationOptions();
        var seconds = new Option<double>("--seconds")
        {
            Description = "Read the sources once, and over again until so many seconds have passed.",
            HelpName = "seconds",
            DefaultValueFactory = _ => 5,
        };
        var command = new Command("pipeline", "Measure the text path alone, from the configured sources to token batches: MB/s and tokens/s a stage, allocated bytes a line, peak memory.");
        configuration.AddTo(command);
        command.Add(seconds);
        command.SetAction(async (parsed, _) =>
        {
            var options = RunOptionsBuilder.BuildData(configuration.Load(parsed));
            var result = await RunAsync(options, TimeSpan.FromSeconds(Math.Clamp(parsed.GetValue(seconds), 0, 1e6))).ConfigureAwait(false);
            Print(options, result, parsed.InvocationConfiguration.Output);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<PipelineBenchmark.Result> RunAsync(PipelineOptions options, TimeSpan atLeast)
    {
        try
        {
            return await PipelineBenchmark.RunAsync(options, atLeast).ConfigureAwait(false);
        }
        catch (Exception mistake) when (mistake is SourceException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
        }
    }

    private static void Print(PipelineOptions options, PipelineBenchmark.Result result, TextWriter output)
    {
        var read = result.Statistics.Read;
        var seconds = result.Elapsed.TotalSeconds;
        output.WriteLine($"text path: {Quantity.Bytes(read.Bytes)} of text, {Quantity.Count(read.Lines)} lines in {Quantity.Time(result.Elapsed)}; {options.Workers} workers, {Environment.ProcessorCount} cores");
        output.WriteLine();
        output.WriteLine($"{"stage",-10}{"MB/s busy",12}{"tokens/s busy",16}{"busy",9}{"waiting",9}");
        foreach (var stage in result.Statistics.Stages.Where(s => s.Batches > 0))
            output.WriteLine(Row(stage));
        output.WriteLine($"{"whole",-10}{Speed(read.Bytes, seconds),12}{Quantity.Count(result.Tokens / seconds),16}{Quantity.Time(result.Elapsed),9}");
        output.WriteLine();
        output.WriteLine($"allocated    {Quantity.Count(result.AllocatedBytes / (double)Math.Max(1, read.Lines))} bytes a line");
        output.WriteLine($"peak memory  {Quantity.Bytes(result.PeakMemoryBytes)}");
        if (result.Statistics.InvalidBytes > 0)
            output.WriteLine($"not UTF-8    {Quantity.Count(result.Statistics.InvalidBytes)} bytes");
    }

    /// <summary>Speed while at work, summed over the workers' time; the queue does no work.</summary>
    private static string Row(StageStatistics stage)
    {
        var busy = stage.Busy.TotalSeconds;
        var bytes = stage.Bytes > 0 && busy > 0 ? Speed(stage.Bytes, busy) : "";
        var tokens = stage.Tokens > 0 && busy > 0 ? Quantity.Count(stage.Tokens / busy) : "";
        return $"{stage.Name,-10}{bytes,12}{tokens,16}{Quantity.Time(stage.Busy),9}{Quantity.Time(stage.Waiting),9}";
    }

    private static string Speed(double bytes, double seconds) => (bytes / 1e6 / seconds).ToString("#,0.0", CultureInfo.InvariantCulture);
}
