using System.CommandLine;
using System.Text;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming config</c>: what a run would be, each value with the place it comes from, as HOCON.</summary>
internal static class ConfigCommand
{
    private const int WidestValue = 60; // columns up to the comments, where values are short enough

    public static Command Create()
    {
        var configuration = new ConfigurationOptions();
        var defaults = new Option<bool>("--defaults")
        {
            Description = "Print the commented file to start from instead: every key with its unit, range and built-in value.",
        };
        var command = new Command("config", "Print the resolved configuration, each value with where it comes from; the output is a configuration itself.");
        configuration.AddTo(command);
        command.Add(defaults);
        command.SetAction(parsed =>
        {
            var text = parsed.GetValue(defaults) ? ReferenceText.UserTemplate() : Print(configuration.Load(parsed));
            parsed.InvocationConfiguration.Output.Write(text);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>One key a line, paths absolute, the origin as a comment.</summary>
    /// <param name="settings">What to print.</param>
    /// <param name="except">Keys that are left out, at their built-in values.</param>
    internal static string Print(Settings settings, params Key[] except)
    {
        var lines = Keys.All.Except(except).Select(key => (Text: $"{key.Path} = {Secrets.Mask(settings.Write(key))}", Origin: settings.OriginOf(key)))
            .Concat(FlattenAkka(settings))
            .ToList();
        var width = lines.Select(l => l.Text.Length).Where(l => l <= WidestValue).DefaultIfEmpty().Max();
        var text = new StringBuilder();
        foreach (var (line, origin) in lines)
            text.Append(line.PadRight(width)).Append("  # ").Append(origin).Append('\n');
        return text.ToString();
    }

    /// <summary>The <c>akka</c> section, one key a line.</summary>
    internal static IEnumerable<(string Text, Origin Origin)> FlattenAkka(Settings settings) => Flatten(SettingsValidator.AkkaRoot, settings.Akka);

    private static IEnumerable<(string Text, Origin Origin)> Flatten(string path, ConfigurationValue value) => value is ConfigurationObject { Fields.Count: > 0 } section
        ? section.Fields.SelectMany(f => Flatten($"{path}.{HoconWriter.WriteKey(f.Key)}", f.Value))
        : [($"{path} = {HoconWriter.Write(value)}", value.Origin)];
}
