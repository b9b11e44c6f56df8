using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Generation;
using Streaming.Hosting.Metrics;
using Streaming.Hosting.Runs;
using Streaming.Hosting.TensorBoard;
using Streaming.Hosting.Terminal;
using Streaming.Model.Libtorch;
using Streaming.Model.Measurement;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming train</c>, and <c>streaming</c> alone: one run to its end.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var command = new Command("train", "Train a model on text, from the newest checkpoint where there is one. SIGTERM and Ctrl-C end it after a checkpoint.");
        AddTo(command);
        return command;
    }

    /// <summary>Makes <paramref name="command"/> train.</summary>
    public static void AddTo(Command command)
    {
        var configuration = new ConfigurationOptions();
        var resume = new Option<string?>("--resume", "-r")
        {
            Description = "auto: go on from the newest whole checkpoint of the run's folder; never: start anew; or a checkpoint's folder.",
            HelpName = "auto|never|folder",
        };
        var origin = new Option<string?>("--base", "-b")
        {
            Description = "Model to begin from, for tuning: a checkpoint, a run (its newest checkpoint), or any Mistral folder of Transformers. Sets model.weights, model.config and data.tokenizer; the optimiser begins anew.",
            HelpName = "folder",
        };
        configuration.AddTo(command);
        command.Add(resume);
        command.Add(origin);
        command.SetAction((parsed, _) =>
        {
            var point = parsed.GetValue(resume);
            Settings settings;
            RunOptions options;
            using (StartTrace.Phase("configuration"))
            {
                Assignment[] resumed = point is null ? [] : [new Assignment($"{Keys.Resume.Path}={point}", "--resume")];
                settings = configuration.Load(parsed, [.. resumed, .. BaseOf(parsed.GetValue(origin))]);
                options = RunOptionsBuilder.Build(settings);
                ResolvedConfiguration.RequireOwn(options.RunDirectory);
            }
            LibtorchRuntime.BeginLoad(options.Training.Libtorch); // it loads while the host starts
            return TrainAsync(settings, options, Screen.ForConsole(settings.Get(Keys.LogFormat), settings.Get(Keys.LogLevel)));
        });
    }

    /// <exception cref="UserErrorException">The folder holds no usable model.</exception>
    private static IEnumerable<Assignment> BaseOf(string? path)
    {
        if (path is null)
            return [];
        var folder = ModelFolder.Open(path, tokenizer: null, option: "--base");
        return
        [
            new($"{Keys.Weights.Path}={folder.Path}", "--base"),
            new($"{Keys.ModelConfig.Path}={Path.Combine(folder.Path, "config.json")}", "--base"),
            new($"{Keys.Tokenizer.Path}={folder.TokenizerPath}", "--base"),
        ];
    }

    private static async Task<int> TrainAsync(Settings settings, RunOptions options, Screen screen)
    {
        var run = new RunHandle();
        using var signals = new StopSignals(run, screen);
        var summary = new RunSummary(screen, options);
        using var log = new RunLog(screen);
        var observed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var host = TrainHost.Build(
            settings, options, run, screen,
            [log, Report(screen, options), summary, new ResolvedConfiguration(settings), .. TensorBoard(settings, options)], observed);
        using (StartTrace.Phase("host")) await StartAsync(host, settings).ConfigureAwait(false);
        await TellAddressAsync(host, run, screen).ConfigureAwait(false);
        var outcome = await EndOfAsync(run, signals, options.ShutdownTimeout, screen).ConfigureAwait(false);
        await Task.WhenAny(observed.Task, Task.Delay(options.ShutdownTimeout)).ConfigureAwait(false); // an observer that hangs does not keep the process
        summary.Print(outcome);
        await host.StopAsync().ConfigureAwait(false);
        return outcome.ExitCode;
    }

    private static IRunObserver Report(Screen screen, RunOptions options) => screen.Format == LogFormat.Json
        ? new JsonReport(screen, options.Training.LoggingSteps, TimeProvider.System)
        : new ConsoleReport(screen, options.Training.LoggingSteps);

    private static IEnumerable<IRunObserver> TensorBoard(Settings settings, RunOptions options) =>
        settings.Get(Keys.TensorBoard) ? [new TensorBoardLog(options.Training.LoggingSteps, TimeProvider.System)] : [];

    private static async Task StartAsync(IHost host, Settings settings)
    {
        try
        {
            await host.StartAsync().ConfigureAwait(false);
        }
        catch (Exception mistake) when (mistake is Akka.Configuration.ConfigurationException || (mistake is not UserErrorException && settings.Akka.Fields.Any(field => field.Key != "loglevel")))
        {
            throw new UserErrorException($"Akka does not accept the akka section: {mistake.Message.TrimEnd('.')}.");
        }
    }

    /// <summary>Where a run is seen, once it is one: a refusal stands alone.</summary>
    private static async Task TellAddressAsync(IHost host, RunHandle run, Screen screen)
    {
        await Task.WhenAny(run.Accepted, run.Outcome).ConfigureAwait(false);
        if (run.Accepted.IsCompleted && host.Services.GetRequiredService<MetricsServer>().Address is { } address)
        {
            screen.WriteLine($"page: {address}");
            screen.WriteLine($"metrics: {new Uri(address, "/metrics")}");
        }
    }

    /// <summary>Waits for the run; after a signal no longer than it was given to finish.</summary>
    private static async Task<RunOutcome> EndOfAsync(RunHandle run, StopSignals signals, TimeSpan timeout, Screen screen)
    {
        await Task.WhenAny(run.Outcome, signals.First).ConfigureAwait(false);
        if (signals.First.IsCompleted && await Task.WhenAny(run.Outcome, Task.Delay(timeout)).ConfigureAwait(false) != run.Outcome)
        {
            StopSignals.ExitTelling(ExitCodes.TryAgain, () =>
            {
                screen.ClearProgress();
                screen.WriteError($"streaming: the step and its checkpoint took longer than {Keys.ShutdownTimeout.Path} = {Quantity.Time(timeout)}; the checkpoint before it is untouched.");
            });
        }
        return await run.Outcome.ConfigureAwait(false);
    }
}
