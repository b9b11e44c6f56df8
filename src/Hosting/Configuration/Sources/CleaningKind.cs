using Streaming.Hosting.Configuration.Hocon;
using Streaming.Streams.Cleaning;

namespace Streaming.Hosting.Configuration;

/// <summary>A preset by name, or an object of thresholds upon one: <c>{preset = web, minimum-line-characters = 10}</c>.</summary>
internal sealed class CleaningKind : ValueKind<CleaningChoice>
{
    private const string Preset = "preset";
    private static readonly ChoiceKind<CleaningOptions?> _presets = new(
        ("recipe", null), ("off", CleaningOptions.Off), ("web", CleaningOptions.Web), ("wikipedia", CleaningOptions.Wikipedia));
    private static readonly RecordFields<CleaningOptions> _fields = new();

    public override string Allowed => $"{_presets.Allowed}, or {{preset = …, <threshold> = …}}";

    public override bool TryRead(ConfigurationValue value, out CleaningChoice result) => Read(value, "", out result) is null;

    public override string? Explain(string path, ConfigurationValue value) => value is ConfigurationObject ? Read(value, path, out _) : null;

    /// <returns>The sentence for what is wrong, or null.</returns>
    private static string? Read(ConfigurationValue value, string path, out CleaningChoice result)
    {
        result = new CleaningChoice(null);
        if (value is not ConfigurationObject thresholds)
        {
            var known = _presets.TryRead(value, out var named);
            result = new CleaningChoice(named);
            return known ? null : "";
        }
        var preset = thresholds.Find([Preset]);
        CleaningOptions? start = CleaningOptions.Off;
        if (preset is not null && !(_presets.TryRead(preset, out start) && start is not null))
            return $"{path}.{Preset} must be off, web or wikipedia, was {HoconWriter.Write(preset)} ({preset.Origin}).";
        var options = start! with { };
        foreach (var (name, threshold) in thresholds.Fields)
        {
            if (name != Preset && _fields.Set(options, name, threshold, path) is { } mistake)
                return mistake;
        }
        result = new CleaningChoice(options);
        return null;
    }
}
