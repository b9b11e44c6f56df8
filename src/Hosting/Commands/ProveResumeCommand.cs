using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Proof;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming prove-resume</c>: kills runs of a configuration at random moments and shows that nothing is lost.</summary>
internal static class ProveResumeCommand
{
    private const long StepsByDefault = 100;

    public static Command Create()
    {
        var config = new Option<string?>("--config", "-c") { Description = "Configuration of the run (HOCON). Without it the built-in one.", HelpName = "file" };
        var set = new Option<string[]>("--set", "-s") { Description = "Sets one key above the file. Repeatable.", HelpName = "key=value", DefaultValueFactory = _ => [] };
        var kills = new Option<int>("--kills") { Description = "Processes to kill.", HelpName = "N", DefaultValueFactory = _ => 10 };
        var steps = new Option<long?>("--steps") { Description = $"Steps of both runs; the least of training.max-steps and {StepsByDefault} where left out.", HelpName = "N" };
        var seed = new Option<int>("--seed") { Description = "Draws the moments of the kills.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var folder = new Option<string?>("--directory", "-d") { Description = "Folder for both runs, new or empty; run.directory with -proof behind it where left out.", HelpName = "folder" };
        var command = new Command("prove-resume", "Run the configuration once undisturbed and once with its process killed (kill -9) at random moments and started again, then compare tokens, losses, metrics and weights.")
        {
            config, set, kills, steps, seed, folder,
        };
        command.SetAction((parsed, _) => RunAsync(
            parsed.GetValue(config), parsed.GetValue(set) ?? [], parsed.GetValue(kills), parsed.GetValue(steps), parsed.GetValue(seed), parsed.GetValue(folder)));
        return command;
    }

    private static async Task<int> RunAsync(string? config, string[] assignments, int kills, long? wanted, int seed, string? folder)
    {
        if (kills < 1)
            throw new UserErrorException($"--kills must be 1 or more, was {kills}.");
        if (wanted < 1)
            throw new UserErrorException($"--steps must be 1 or more, was {wanted}.");
        var settings = SettingsLoader.Load(config, [.. assignments.Select(text => new Assignment(text))], Environment.GetEnvironmentVariable);
        var steps = wanted ?? Math.Min(settings.Get(Keys.MaxSteps), StepsByDefault);
        var target = Path.GetFullPath(folder ?? settings.Get(Keys.RunDirectory) + "-proof");
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new UserErrorException($"--directory: {target} is not empty; name another folder, or remove it.");
        if (settings.Get(Keys.Sources).Any(source => source.Paths.Contains("-")))
            throw new UserErrorException($"{Keys.Sources.Path} has standard input, which cannot be read a second time; name files.");
        Directory.CreateDirectory(target);
        List<string> arguments = [.. config is null ? [] : new[] { "--config", Path.GetFullPath(config) }];
        foreach (var assignment in assignments.Concat(Overrides(steps)))
            arguments.AddRange(["--set", assignment]);
        var proof = new ResumeProof(RunIn("plain"), RunIn("killed"), steps, Screen.ForConsole());
        using var interrupted = new CancellationTokenSource();
        var code = ExitCodes.Failed;
        using var interrupt = Heed(PosixSignal.SIGINT, 2);
        using var terminate = Heed(PosixSignal.SIGTERM, 15);
        using var hangUp = Heed(PosixSignal.SIGHUP, 1);
        try
        {
            return await proof.RunAsync(kills, seed, interrupted.Token).ConfigureAwait(false) ? ExitCodes.Done : ExitCodes.Failed;
        }
        catch (OperationCanceledException)
        {
            return code;
        }

        // A cache of its own: those of the user's runs are theirs.
        ProofRun RunIn(string name)
        {
            var run = Path.Combine(target, name);
            return new(run, settings.Get(Keys.TokenCache) == "none" ? arguments : [.. arguments, "--set", $"{Relative(Keys.TokenCache)}={JsonSerializer.Serialize(run + ".tokens")}"]);
        }

        // No process of the proof outlives it.
        PosixSignalRegistration Heed(PosixSignal signal, int number) => PosixSignalRegistration.Create(signal, context =>
        {
            (context.Cancel, code) = (true, ExitCodes.StoppedBy(number));
            interrupted.Cancel();
        });
    }

    /// <summary>What an experiment needs; everything else is the user's.</summary>
    internal static string[] Overrides(long steps) =>
    [
        string.Create(CultureInfo.InvariantCulture, $"{Relative(Keys.MaxSteps)}={steps}"),
        $"{Relative(Keys.Resume)}=auto",
        // By what a process tells it is known how far it is.
        $"{Relative(Keys.LoggingSteps)}=1",
        $"{Relative(Keys.LogFormat)}=text",
        $"{Relative(Keys.LogLevel)}=information",
        $"{Relative(Keys.RecordTokens)}=true",
        $"{Relative(Keys.Deterministic)}=true",
        $"{Relative(Keys.MetricsEnabled)}=false",
        $"{Relative(Keys.SamplePrompt)}=\"\"",
        $"{Relative(Keys.RejectedFile)}=none",
    ];

    private static string Relative(Key key) => key.Path[(Keys.Root.Length + 1)..];
}
