using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Configuration;

/// <summary>Holds the resolved configuration against the table of keys and collects a sentence for everything that does not fit.</summary>
internal sealed class SettingsValidator
{
    public const string AkkaRoot = "akka";

    private static readonly Dictionary<string, Key> _keys = Keys.All.ToDictionary(k => k.Path);
    private static readonly HashSet<string> _sections = [.. Keys.All.SelectMany(k => Parents(k.Path))];

    private readonly Dictionary<Key, (ConfigurationValue Written, object? Value)> _values = [];
    private readonly List<string> _errors;

    private SettingsValidator(List<string> errors) => _errors = errors;

    /// <returns>The settings, or null where <paramref name="errors"/> is not empty afterwards.</returns>
    public static Settings? Validate(ConfigurationObject root, List<string> errors)
    {
        var validator = new SettingsValidator(errors);
        var akka = new ConfigurationObject([], root.Origin);
        foreach (var (key, value) in root.Fields)
        {
            if (key != AkkaRoot)
                validator.Visit(key, value);
            else if (value is ConfigurationObject section)
                akka = section;
            else
                errors.Add($"akka must be a section, was {HoconWriter.Write(value)} ({value.Origin}).");
        }
        if (errors.Count == 0)
            errors.AddRange(Keys.All.Where(k => !validator._values.ContainsKey(k)).Select(k => $"{k.Path} is missing: it must be {k.Allowed}."));
        return errors.Count == 0 ? new Settings(validator._values, akka) : null;
    }

    private void Visit(string path, ConfigurationValue value)
    {
        if (_keys.TryGetValue(path, out var key))
        {
            if (key.TryRead(value, out var typed))
                _values.Add(key, (value, typed));
            else
                _errors.Add(key.Refuse(value));
        }
        else if (!_sections.Contains(path))
        {
            _errors.Add(Unknown(path, value));
        }
        else if (value is ConfigurationObject section)
        {
            foreach (var (name, field) in section.Fields)
                Visit($"{path}.{HoconWriter.WriteKey(name)}", field);
        }
        else
        {
            _errors.Add($"{path} must be a section, {path} {{ … }}, was {HoconWriter.Write(value)} ({value.Origin}).");
        }
    }

    private static string Unknown(string path, ConfigurationValue value)
    {
        var isSection = value is ConfigurationObject;
        var nearest = (isSection ? _sections : _keys.Keys.AsEnumerable()).MinBy(k => Distance(path, k))!;
        return $"{path} is no {(isSection ? "section" : "key")}; the nearest is {nearest} ({value.Origin}).";
    }

    /// <summary>Edits between two paths; a known name in the wrong section is nearer than any misspelling, then comes one of which a part was written.</summary>
    private static double Distance(string path, string known)
    {
        var edits = EditDistance.Between(path, known);
        var (name, knownName) = (path[(path.LastIndexOf('.') + 1)..], known[(known.LastIndexOf('.') + 1)..]);
        var inOtherSection = EditDistance.Between(name, knownName) + 0.5;
        var asPart = name.Length > 2 && knownName.Contains(name, StringComparison.OrdinalIgnoreCase) ? 1.5 + edits / 100.0 : double.MaxValue;
        return Math.Min(edits, Math.Min(inOtherSection, asPart));
    }

    private static IEnumerable<string> Parents(string path)
    {
        for (var dot = path.LastIndexOf('.'); dot > 0; dot = path.LastIndexOf('.', dot - 1))
            yield return path[..dot];
    }
}
