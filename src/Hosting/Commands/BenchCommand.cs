using System.CommandLine;
using Akka.Actor;
using Akka.Streams;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Terminal;
using Streaming.Streams;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming bench</c>: what parts of the program do on this machine.</summary>
internal static class BenchCommand
{
    public static Command Create() => new("bench", "Measure parts of the program on this machine.") { CreatePipeline(), BenchEngineCommand.Create(), BenchGenerationCommand.Create() };

    private static Command CreatePipeline()
    {
        var configuration = new ConfigurationOptions();
        var megabytes = new Option<long?>("--megabytes")
        {
            Description = "Stop each measurement after so much text, read as often as it takes; all of it once where left out.",
            HelpName = "MB",
        };
        var command = new Command("pipeline", "Measure the text path alone, from the configured sources to token batches: MB/s and tokens/s a stage and, on one core and all, as a whole, allocated bytes a line, peak memory.");
        var cores = new Option<int[]>("--cores")
        {
            Description = "Processors to measure the whole path on, such as 1 2 8; one and all where left out.",
            HelpName = "number",
            AllowMultipleArgumentsPerToken = true,
        };
        cores.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int[]>() is { } counts && counts.FirstOrDefault(count => count < 1 || count > ProcessorCores.Available, 1) is var wrong && (wrong < 1 || wrong > ProcessorCores.Available))
                result.AddError($"--cores must be from 1 to {ProcessorCores.Available} (processors of this machine), was {wrong}");
        });
        var json = new Option<bool>("--json") { Description = "One line of JSON instead of a table." };
        configuration.AddTo(command);
        command.Add(megabytes);
        command.Add(cores);
        command.Add(json);
        command.SetAction(async (parsed, cancellation) =>
        {
            var options = RunOptionsBuilder.BuildData(configuration.Load(parsed), Screen.ForConsole().WriteNotice);
            IReadOnlyList<int> counts = parsed.GetValue(cores) is { Length: > 0 } given ? given : [.. new[] { 1, ProcessorCores.Available }.Distinct()];
            var measurement = await MeasureAsync(options, counts, parsed.GetValue(megabytes) * 1_000_000, cancellation).ConfigureAwait(false);
            foreach (var line in parsed.GetValue(json) ? [measurement.ToJson()] : measurement.ToLines())
                await parsed.InvocationConfiguration.Output.WriteLineAsync(line).ConfigureAwait(false);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<PipelineMeasurement> MeasureAsync(PipelineOptions options, IReadOnlyList<int> cores, long? longest, CancellationToken cancellation)
    {
        using var system = ActorSystem.Create("bench", "akka { loglevel = WARNING, stdout-loglevel = OFF }");
        try
        {
            return await PipelineBenchmark.Run(options, system.Materializer(), cores, longest, cancellation).ConfigureAwait(false);
        }
        catch (Exception mistake) when (mistake is SourceException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
        }
    }
}
