using System.CommandLine;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Commands;

/// <summary>The options of every command that reads the configuration.</summary>
internal sealed class ConfigurationOptions
{
    private readonly Option<string?> _config = new("--config", "-c")
    {
        Description = "Configuration of the run (HOCON). Without it the built-in one trains a small model on samples/.",
        HelpName = "file",
    };

    private readonly Option<string[]> _set = new("--set", "-s")
    {
        Description = "Sets one key above the file, for example training.max-steps=1000. Repeatable; \"streaming config\" shows every key.",
        HelpName = "key=value",
        DefaultValueFactory = _ => [],
    };

    public void AddTo(Command command)
    {
        command.Add(_config);
        command.Add(_set);
    }

    /// <exception cref="UserErrorException">Everything that is wrong with the configuration.</exception>
    public Settings Load(ParseResult parsed, params IEnumerable<Assignment> more) => Load(parsed, otherwise: null, more);

    /// <param name="otherwise">The file that is read where none is named.</param>
    /// <exception cref="UserErrorException">Everything that is wrong with the configuration.</exception>
    public Settings Load(ParseResult parsed, string? otherwise, IEnumerable<Assignment> more)
        => SettingsLoader.Load(
            parsed.GetValue(_config) ?? otherwise,
            [.. (parsed.GetValue(_set) ?? []).Select(text => new Assignment(text)), .. more],
            Environment.GetEnvironmentVariable);
}
