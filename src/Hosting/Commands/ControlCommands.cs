using System.CommandLine;
using System.Globalization;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming status | pause | resume | checkpoint | sample | set | stop</c>: a running daemon, seen and steered from the command line. <see cref="EvaluateCommand"/> is another.</summary>
internal static class ControlCommands
{
    public static IEnumerable<Command> Create() =>
    [
        Status(),
        Plain("pause", "Take no further step until resumed, across restarts of the daemon too."),
        Plain("resume", "Go on after a pause."),
        Plain("checkpoint", "Write a checkpoint after the step under way."),
        Sample(),
        Set(),
        Plain("stop", "Finish the step, write a checkpoint and end the daemon; a service manager does not start it again."),
    ];

    private static Command Status()
    {
        var (command, client) = New("status", "Show whether the run is well, what limits it and where it stands.");
        var json = new Option<bool>("--json") { Description = "The whole status as JSON." };
        var watch = new Option<bool>("--watch", "-w") { Description = "Show it again every two seconds until interrupted." };
        var check = new Option<bool>("--check") { Description = "Exit with 1 where the run is in trouble: for a container's health check." };
        command.Add(json);
        command.Add(watch);
        command.Add(check);
        command.SetAction(async (parsed, cancellation) =>
        {
            using var run = client.Open(parsed);
            while (true)
            {
                using var status = await run.StatusAsync(cancellation).ConfigureAwait(false);
                var output = parsed.InvocationConfiguration.Output;
                if (parsed.GetValue(watch) && !Console.IsOutputRedirected)
                    await output.WriteAsync("\e[H\e[2J").ConfigureAwait(false);
                await output.WriteLineAsync(parsed.GetValue(json) ? status.RootElement.GetRawText() : StatusReport.Of(status.RootElement)).ConfigureAwait(false);
                if (parsed.GetValue(check) && status.RootElement.GetProperty("health").GetString() == "bad")
                    return ExitCodes.Failed;
                if (!parsed.GetValue(watch))
                    return ExitCodes.Done;
                await Task.Delay(TimeSpan.FromSeconds(2), cancellation).ConfigureAwait(false);
            }
        });
        return command;
    }

    private static Command Plain(string name, string description)
    {
        var (command, client) = New(name, description);
        command.SetAction((parsed, cancellation) => SendAsync(client, parsed, name, new Dictionary<string, object?>(), cancellation));
        return command;
    }

    private static Command Sample()
    {
        var (command, client) = New("sample", "Continue a prompt with the present weights; training stands still meanwhile.");
        var prompt = new Argument<string?>("prompt") { Description = "Text to continue; without it the run's sample.prompt.", Arity = ArgumentArity.ZeroOrOne };
        var tokens = new Option<int?>("--max-new-tokens", "-n") { Description = "Tokens to add at most." };
        var temperature = new Option<double?>("--temperature") { Description = "0 takes the most probable token always." };
        var top = new Option<int?>("--top-k") { Description = "Most probable tokens among which one is drawn; 0 draws among all." };
        var seed = new Option<int?>("--seed") { Description = "Of what is drawn." };
        foreach (var symbol in (Symbol[])[prompt, tokens, temperature, top, seed])
        {
            if (symbol is Argument argument)
                command.Add(argument);
            else
                command.Add((Option)symbol);
        }
        command.SetAction((parsed, cancellation) =>
        {
            var body = new Dictionary<string, object?>
            {
                ["prompt"] = parsed.GetValue(prompt),
                ["max_new_tokens"] = parsed.GetValue(tokens),
                ["temperature"] = parsed.GetValue(temperature),
                ["top_k"] = parsed.GetValue(top),
                ["seed"] = parsed.GetValue(seed),
            };
            return SendAsync(client, parsed, "sample", body.Where(field => field.Value is not null).ToDictionary(), cancellation);
        });
        return command;
    }

    private static Command Set()
    {
        var (command, client) = New("set", "Change a setting of the run from the next step on: learning-rate (the schedule's peak), max-steps, eval-steps, save-steps, log-level. Across restarts too, until the configuration says something else.");
        var name = new Argument<string>("setting") { Description = "learning-rate, max-steps, eval-steps, save-steps or log-level." };
        var value = new Argument<string>("value") { Description = "The new value; \"configured\" goes back to the configuration's." };
        command.Add(name);
        command.Add(value);
        command.SetAction((parsed, cancellation) =>
        {
            var text = parsed.GetRequiredValue(value);
            object? written = text switch
            {
                "configured" => null,
                _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer) => integer,
                _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => number,
                _ => text,
            };
            return SendAsync(client, parsed, "set", new Dictionary<string, object?> { [parsed.GetRequiredValue(name).Replace('-', '_')] = written }, cancellation);
        });
        return command;
    }

    private static (Command Command, RunClient.Options Client) New(string name, string description)
    {
        var command = new Command(name, description);
        var client = new RunClient.Options();
        client.AddTo(command);
        return (command, client);
    }

    /// <summary>Sends a command and prints the answer.</summary>
    public static async Task<int> SendAsync(RunClient.Options client, ParseResult parsed, string name, IReadOnlyDictionary<string, object?> body, CancellationToken cancellation)
    {
        using var run = client.Open(parsed);
        using var answer = await run.CommandAsync(name, body, cancellation).ConfigureAwait(false);
        var root = answer.RootElement;
        var text = root.TryGetProperty("text", out var sample) ? sample.GetString() : root.GetProperty("message").GetString();
        await parsed.InvocationConfiguration.Output.WriteLineAsync(ConsoleReport.OneLine(text ?? "")).ConfigureAwait(false);
        return ExitCodes.Done;
    }
}
