using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Text;

namespace Streaming.Hosting.Commands;

/// <summary>Runs one command; a mistake of the user ends as a sentence on standard error and an exit code.</summary>
internal static partial class CommandLine
{
    private static readonly ParserConfiguration _parser = new() { ResponseFileTokenReplacer = null };

    public static async Task<int> RunAsync(RootCommand root, IReadOnlyList<string> arguments, TextWriter? output = null, TextWriter? errors = null)
    {
        errors ??= Console.Error;
        var parsed = root.Parse(arguments, _parser);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
                await errors.WriteLineAsync($"streaming: {InWords(OneLine(error.Message))}; see streaming --help.").ConfigureAwait(false);
            return ExitCodes.WrongUsage;
        }
        if (EmptyPlace(parsed) is { } place)
        {
            await errors.WriteLineAsync($"streaming: {place.Name} is empty; give a {place.Kind}.").ConfigureAwait(false);
            return ExitCodes.WrongUsage;
        }
        // Signals are the commands' own matter: a run must write its checkpoint first.
        var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Error = errors };
        invocation.Output = output ?? StandardOutput.OpenText();
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
        catch (ReaderGoneException)
        {
            return ExitCodes.Done;
        }
        catch (OutputException failure)
        {
            await errors.WriteLineAsync($"streaming: {failure.Message}").ConfigureAwait(false);
            return ExitCodes.Failed;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync($"streaming: {OneLine(failure.Message)}.").ConfigureAwait(false); // the disk's matter, or somebody's who took a file away meanwhile
            return ExitCodes.Failed;
        }
    }

    /// <summary>The first file or folder that is named by an empty text, as a script's unset variable does.</summary>
    private static (string Name, string Kind)? EmptyPlace(ParseResult parsed) => parsed.CommandResult.Children.OfType<OptionResult>()
        .Where(result => result.Option.HelpName is { } kind && PlaceKind().IsMatch(kind) && result.Tokens.Any(token => token.Value.Length == 0))
        .Select(result => ((string, string)?)(result.Option.Name, result.Option.HelpName!))
        .FirstOrDefault();

    /// <summary>What options call a file or a folder in their help: <c>file</c>, <c>auto|bundled|folder</c>, <c>ds_config.json</c>.</summary>
    [GeneratedRegex(@"(^|\|)(file|folder|path)$|\.(json|svg)$")]
    private static partial Regex PlaceKind();

    /// <summary>The parser names a number's kind as .NET does.</summary>
    private static string InWords(string message) => WrongKind().Match(message) is { Success: true } wrong
        ? $"{wrong.Groups[2].Value} must be {(wrong.Groups[3].Value switch { "Double" => "a number", "Int32" => $"a whole number of at most {int.MaxValue}", _ => "a whole number" })}, was {wrong.Groups[1].Value}"
        : message;

    [GeneratedRegex(@"^Cannot parse argument '(.*)' for (?:option|argument) '([^']*)' as expected type '(?:System\.Nullable`1\[)?System\.(Int32|Int64|Double)\]?'$", RegexOptions.Singleline)]
    private static partial Regex WrongKind();

    /// <summary>The parser lists allowed values a line each.</summary>
    private static string OneLine(string message) => string.Join(' ', message.Split((char[])['\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).TrimEnd('.');
}
