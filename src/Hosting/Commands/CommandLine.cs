using System.CommandLine;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Commands;

/// <summary>Runs one command; a mistake of the user ends as a sentence on standard error and an exit code.</summary>
internal static class CommandLine
{
    private static readonly ParserConfiguration _parser = new() { ResponseFileTokenReplacer = null };

    public static async Task<int> RunAsync(RootCommand root, IReadOnlyList<string> arguments, TextWriter? output = null, TextWriter? errors = null)
    {
        errors ??= Console.Error;
        var parsed = root.Parse(arguments, _parser);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
                await errors.WriteLineAsync($"streaming: {OneLine(error.Message)}; see streaming --help.").ConfigureAwait(false);
            return ExitCodes.WrongUsage;
        }
        // Signals are the commands' own matter: a run must write its checkpoint first.
        var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Error = errors };
        if (output is not null)
            invocation.Output = output;
        try
        {
            return await parsed.InvokeAsync(invocation).ConfigureAwait(false);
        }
        catch (UserErrorException e)
        {
            foreach (var sentence in e.Sentences)
                await errors.WriteLineAsync($"streaming: {sentence}").ConfigureAwait(false);
            return e.ExitCode;
        }
    }

    /// <summary>The parser lists allowed values a line each.</summary>
    private static string OneLine(string message) => string.Join(' ', message.Split((char[])['\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).TrimEnd('.');
}
