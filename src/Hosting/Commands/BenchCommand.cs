using System.CommandLine;
using Akka.Actor;
using Akka.Streams;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
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
            Description = "Stop each measurement after so much text; all of it where left out.",
            HelpName = "MB",
        };
        var command = new Command("pipeline", "Measure the text path alone, from the configured sources to token batches: MB/s and tokens/s a stage and as a whole, allocated bytes a line, peak memory.");
        var oneWorker = new Option<bool>("--one-worker") { Description = "One worker instead of data.workers: what the path does on one core." };
        var json = new Option<bool>("--json") { Description = "One line of JSON instead of a table." };
        configuration.AddTo(command);
        command.Add(megabytes);
        command.Add(oneWorker);
        command.Add(json);
        command.SetAction(async (parsed, cancellation) =>
        {
            var options = RunOptionsBuilder.BuildData(configuration.Load(parsed));
            if (parsed.GetValue(oneWorker))
                options = options with { Workers = 1 };
            var measurement = await MeasureAsync(options, parsed.GetValue(megabytes) * 1_000_000, cancellation).ConfigureAwait(false);
            foreach (var line in parsed.GetValue(json) ? [measurement.ToJson()] : measurement.ToLines())
                await parsed.InvocationConfiguration.Output.WriteLineAsync(line).ConfigureAwait(false);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<PipelineMeasurement> MeasureAsync(PipelineOptions options, long? longest, CancellationToken cancellation)
    {
        using var system = ActorSystem.Create("bench", "akka { loglevel = WARNING, stdout-loglevel = OFF }");
        try
        {
            return await PipelineBenchmark.Run(options, system.Materializer(), longest, cancellation).ConfigureAwait(false);
        }
        catch (Exception mistake) when (mistake is SourceException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
        }
    }
}
