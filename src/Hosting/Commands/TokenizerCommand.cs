using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Akka.Streams;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Terminal;
using Streaming.Streams.Sources;
using Streaming.Streams.TokenizerTraining;
using ActorSystem = Akka.Actor.ActorSystem;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming tokenizer</c>: makes tokenizers.</summary>
internal static class TokenizerCommand
{
    public static Command Create() => new("tokenizer", "Make a tokenizer.") { CreateTrain() };

    private static Command CreateTrain()
    {
        var configuration = new ConfigurationOptions();
        var output = new Option<string?>("--output", "-o") { Description = $"Folder for the tokenizer's files; {Keys.TokenizerDirectory.Path} where left out.", HelpName = "folder" };
        var force = new Option<bool>("--force") { Description = "Replace the tokenizer that the folder holds." };
        var command = new Command("train", "Train a SentencePiece unigram model on the configured sources, normalised and cleaned as for a run: tokenizer.model, and the files that Transformers reads.") { output, force };
        configuration.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            var folder = parsed.GetValue(output);
            var settings = configuration.Load(parsed, folder is null ? [] : [new Assignment($"{Keys.TokenizerDirectory.Path}={folder}", "--output")]);
            return Task.FromResult(Train(settings, parsed.GetValue(force), Screen.ForConsole()));
        });
        return command;
    }

    private static int Train(Settings settings, bool replace, Screen screen)
    {
        using var stop = new CancellationTokenSource();
        var stoppedBy = 0;
        StopSignals.HeedInterrupt();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Stop(context, 2));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Stop(context, 15));
        using var system = ActorSystem.Create("tokenizer", "akka { loglevel = WARNING, stdout-loglevel = OFF }");
        try
        {
            var began = Stopwatch.GetTimestamp();
            var options = RunOptionsBuilder.BuildTokenizer(settings);
            var folder = new TokenizerFolder(settings.Get(Keys.TokenizerDirectory), replace);
            var sentences = SentenceSource.Read(RunOptionsBuilder.BuildData(settings, screen.WriteNotice), system.Materializer(), stop.Token);
            folder.Write(new TokenizerTrainer(options, new TokenizerProgress(screen)).Train(sentences, stop.Token));
            screen.ClearProgress();
            screen.WriteLine($"{options.VocabularySize} pieces in {Quantity.Time(Stopwatch.GetElapsedTime(began))}: {Path.Combine(settings.Get(Keys.TokenizerDirectory), TokenizerFolder.ModelFile)}");
            return ExitCodes.Done;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            screen.ClearProgress();
            screen.WriteError("streaming: stopped; no tokenizer was written.");
            return ExitCodes.StoppedBy(stoppedBy);
        }
        catch (Exception mistake) when (mistake is TokenizerTrainingException or SourceException or IOException or UnauthorizedAccessException)
        {
            screen.ClearProgress();
            throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
        }

        void Stop(PosixSignalContext context, int signal)
        {
            context.Cancel = true;
            stoppedBy = signal;
            stop.Cancel();
        }
    }
}
