using System.Text.Json;
using Streaming.Hosting.Configuration.Hocon;
using Streaming.Streams.Cleaning;

namespace Streaming.Hosting.Configuration;

/// <summary>An option record that a key chose.</summary>
/// <param name="Options">Null stands for what the recipe does with the source.</param>
internal sealed record Preset<T>(T? Options) where T : class;

/// <summary>A preset by name, or an object of values upon one: <c>{preset = web, minimum-line-characters = 10}</c>.</summary>
/// <param name="copy">Makes a record of its own, which the values are written to.</param>
/// <param name="validate">Throws an <see cref="ArgumentOutOfRangeException"/> that names the property.</param>
/// <param name="presets">The first one that is no null is what an object without a preset starts from.</param>
internal sealed class PresetKind<T>(Func<T, T> copy, Action<T> validate, params (string Word, T? Value)[] presets) : ValueKind<Preset<T>> where T : class
{
    private const string PresetField = "preset";
    private readonly ChoiceKind<T?> _presets = new(presets);
    private readonly ChoiceKind<T?> _starts = new([.. presets.Where(preset => preset.Value is not null)]);
    private readonly RecordFields<T> _fields = new();

    public override string Allowed => $"{_presets.Allowed}, or {{preset = …, <key> = …}}";

    public override bool TryRead(ConfigurationValue value, out Preset<T> result) => Read(value, "", out result) is null;

    public override string? Explain(string path, ConfigurationValue value) => value is ConfigurationObject ? Read(value, path, out _) : null;

    /// <returns>The sentence for what is wrong, empty for a value that is wrong as a whole, or null.</returns>
    private string? Read(ConfigurationValue value, string path, out Preset<T> result)
    {
        result = new Preset<T>(null);
        if (value is not ConfigurationObject fields)
        {
            var known = _presets.TryRead(value, out var named);
            result = new Preset<T>(named);
            return known ? null : "";
        }
        var start = presets.First(preset => preset.Value is not null).Value;
        if (fields.Find([PresetField]) is { } preset && !_starts.TryRead(preset, out start))
            return _starts.Refuse($"{path}.{PresetField}", preset);
        var options = copy(start!);
        foreach (var (name, field) in fields.Fields)
        {
            if (name != PresetField && _fields.Set(options, name, field, path) is { } mistake)
                return mistake;
        }
        try
        {
            validate(options);
        }
        catch (ArgumentOutOfRangeException refusal)
        {
            var sentence = refusal.Message.Split(" (Parameter", 2)[0];
            return $"{path}.{JsonNamingPolicy.KebabCaseLower.ConvertName(refusal.ParamName!)} is {refusal.ActualValue}, but {sentence} ({value.Origin}).";
        }
        result = new Preset<T>(options);
        return null;
    }
}

/// <summary>The kinds of the keys that clean text.</summary>
internal static class CleaningKinds
{
    public static PresetKind<CleaningOptions> Rules { get; } = new(
        options => options with { }, options => options.Validate(),
        ("recipe", null), ("off", CleaningOptions.Off), ("web", CleaningOptions.Web), ("wikipedia", CleaningOptions.Wikipedia));

    public static PresetKind<DuplicateOptions> Duplicates { get; } = new(
        options => options with { }, options => options.Validate(),
        ("off", DuplicateOptions.Off), ("web", DuplicateOptions.Web));
}
