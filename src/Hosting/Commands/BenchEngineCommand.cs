using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Model;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Measurement;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming bench engine</c>: the training engine's speed and memory on this machine.</summary>
internal static class BenchEngineCommand
{
    public static Command Create()
    {
        var configuration = new ConfigurationOptions();
        var microBatch = new Option<int>("--micro-batch") { Description = "Sequences a micro-batch.", HelpName = "M", DefaultValueFactory = _ => 4 };
        var accumulate = new Option<int>("--accumulate") { Description = "Micro-batches a step.", HelpName = "A", DefaultValueFactory = _ => 1 };
        var steps = new Option<int>("--steps") { Description = "Steps that are timed; the median counts.", HelpName = "N", DefaultValueFactory = _ => 6 };
        var timeline = new Option<FileInfo?>("--timeline") { Description = "Draw one step of an offloading engine into this SVG file, by CUDA events.", HelpName = "F.svg" };
        var noProfile = new Option<bool>("--no-profile") { Description = "Leave out where a step's time goes." };
        foreach (var option in new[] { microBatch, accumulate, steps })
            option.Validators.Add(result =>
            {
                if (result.GetValueOrDefault<int>() < 1)
                    result.AddError($"{option.Name} must be 1 or more.");
            });
        var command = new Command("engine", "Measure whole training steps on random tokens: one JSON line with tokens/s, MFU, memory and the time to the first step, then where a step's time goes.")
        {
            microBatch, accumulate, steps, timeline, noProfile,
        };
        configuration.AddTo(command);
        command.SetAction(parsed =>
        {
            RunOptions options;
            using (StartTrace.Phase("configuration")) options = RunOptionsBuilder.Build(configuration.Load(parsed));
            options = options with { Data = options.Data with { Rows = parsed.GetValue(microBatch) } };
            var output = parsed.InvocationConfiguration.Output;
            try
            {
                using var engine = EngineFactory.Create(options, notice => Console.Error.WriteLine(notice));
                Print(EngineBenchmark.Run(engine, options.Data.Rows, options.Data.BlockSize, parsed.GetValue(accumulate), parsed.GetValue(steps), !parsed.GetValue(noProfile)),
                    options.Data.BlockSize, output);
                if (parsed.GetValue(timeline) is { } file) Draw(engine, options, file);
            }
            catch (Exception mistake) when (mistake is ModelException or RunRefusedException or Model.Fused.OutOfDeviceMemoryException)
            {
                throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
            }
            return ExitCodes.Done;
        });
        return command;
    }

    private static void Draw(ITrainingEngine engine, RunOptions options, FileInfo file)
    {
        if (engine is not FusedEngine fused || options.Training.Offload == OffloadLevel.None)
            throw new UserErrorException("--timeline draws what travels, and training.offload is none.");
        var tokens = new int[options.Data.Rows * options.Data.BlockSize];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = i % options.Model.VocabularySize;
        File.WriteAllText(file.FullName, StepTimeline.Draw(fused.Trace(tokens, options.Data.Rows, microBatches: 2), Title(fused, options)));
    }

    private static string Title(FusedEngine engine, RunOptions options) => string.Create(CultureInfo.InvariantCulture,
        $"{engine.ParameterCount / 1e6:F0}M parameters, {options.Data.Rows} x {options.Data.BlockSize} tokens a micro-batch: the last micro-batch of a step, its update, the first micro-batch of the next");

    private static void Print(EngineMeasurement measured, int tokens, TextWriter output)
    {
        output.WriteLine(JsonSerializer.Serialize(new
        {
            engine = measured.Engine,
            micro = measured.Rows,
            accum = measured.MicroBatches,
            @params = measured.Parameters,
            tok_s = Math.Round(measured.TokensPerSecond),
            mfu = Math.Round(measured.Utilization, 4),
            peak_gib = measured.DeviceBytes is { } bytes ? Math.Round(bytes / 1073741824.0, 2) : (double?)null,
            predicted_gib = measured.PredictedBytes is { } predicted ? Math.Round(predicted / 1073741824.0, 2) : (double?)null,
            locked_host_gib = measured.LockedBytes is > 0 and var locked ? Math.Round(locked / 1073741824.0, 2) : (double?)null,
            resident_host_gib = Math.Round(measured.ResidentBytes / 1073741824.0, 2),
            step_s = Math.Round(measured.StepSeconds, 4),
            compute_s = Math.Round(measured.ComputeSeconds, 4),
            beside_compute = Math.Round(measured.StepSeconds / measured.ComputeSeconds - 1, 4),
            update_in_gb = Math.Round(measured.UpdateTraffic.In / 1e9, 2),
            update_out_gb = Math.Round(measured.UpdateTraffic.Out / 1e9, 2),
            first_step_s = measured.Start is { } first ? Math.Round(first.FirstStep, 2) : (double?)null,
            loss = Math.Round(measured.Losses[^1], 3),
            losses = measured.Losses.Select(loss => Math.Round(loss, 3)),
            start = measured.Start?.Phases.Select(phase => new { phase = phase.Name, from_s = Math.Round(phase.From, 2), s = Math.Round(phase.Seconds, 2) }),
        }));
        if (measured.Operations.Count == 0)
            return;
        var perToken = 1000.0 / (measured.Rows * (double)tokens);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"operation",-36}{"ms",10}{"calls",7}{"us a call",11}{"us a token",12}{"TFLOP/s",9}{"TB/s",7}"));
        foreach (var operation in measured.Operations)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{operation.Name,-36}{operation.Milliseconds,10:F3}{operation.Calls,7}{1000 * operation.Milliseconds / operation.Calls,11:F1}{operation.Milliseconds * perToken,12:F4}{operation.TeraflopsPerSecond,9:F0}{operation.TerabytesPerSecond,7:F2}"));
        var total = measured.Operations.Sum(operation => operation.Milliseconds);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"one micro-step and one update",-36}{total,10:F3}{"",18}{total * perToken,12:F4}"));
    }
}
