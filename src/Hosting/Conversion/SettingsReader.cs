using System.Globalization;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Conversion;

/// <summary>
/// Reads the settings of one section and keeps an account of each: what it became, or why nothing. Errors:
/// <see cref="UserErrorException"/>, one sentence with the file and the line.
/// </summary>
/// <param name="section">An object.</param>
/// <param name="prefix">What stands before the names in messages: <c>zero_optimization.</c></param>
internal sealed class SettingsReader(PlacedJson section, string prefix = "")
{
    private readonly Dictionary<string, (OutcomeKind Kind, string Text)> _outcomes = [];
    private readonly HashSet<string> _opened = [];

    public PlacedJson Section => section;

    /// <summary>A value that is given and not null.</summary>
    public PlacedJson? Find(string name) => section.Find(name) is { IsNull: false } value ? value : null;

    public string? Text(string name) =>
        Find(name) is not { } value ? null : value.IsText ? value.Text : throw Wrong(name, value, "a text");

    public bool? Switch(string name) => Find(name) is not { } value ? null : value.Text switch
    {
        "true" or "True" => true,
        "false" or "False" => false,
        _ => throw Wrong(name, value, "true or false"),
    };

    public double? Number(string name) =>
        Find(name) is not { } value ? null
        : value.IsNumber && double.TryParse(value.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number
        : throw Wrong(name, value, "a number");

    public long? Integer(string name) =>
        Number(name) is not { } number ? null
        : number == Math.Floor(number) && Math.Abs(number) < 1e15 ? (long)number
        : throw Wrong(name, Find(name)!, "a whole number");

    /// <summary>A section within, which gives its own account; null where it is not given.</summary>
    public SettingsReader? Open(string name)
    {
        if (Find(name) is not { } value)
            return null;
        _opened.Add(name);
        return value.IsObject ? new SettingsReader(value, $"{prefix}{name}.") : throw Wrong(name, value, "a section, {…}");
    }

    public bool IsAccountedFor(string name) => _outcomes.ContainsKey(name);

    /// <summary>Notes what a setting became; of several notes the last counts.</summary>
    public void Note(string name, OutcomeKind kind, string text)
    {
        if (section.Find(name) is not null)
            _outcomes[name] = (kind, text);
    }

    public void Became(string name, string text) => Note(name, OutcomeKind.Became, text);

    public void NoMeaning(string name, string why) => Note(name, OutcomeKind.NoMeaning, why);

    public void NoCounterpart(string name, string what) => Note(name, OutcomeKind.NoCounterpart, what);

    /// <summary>All settings in the order of the file.</summary>
    /// <param name="meaningless">Names that mean nothing here, and why.</param>
    public IEnumerable<Outcome> Account(IReadOnlyDictionary<string, string> meaningless)
    {
        foreach (var (name, value) in section.Fields)
        {
            if (_outcomes.TryGetValue(name, out var outcome))
                yield return new Outcome(prefix + name, value.ToString(), outcome.Kind, outcome.Text);
            else if (_opened.Contains(name))
                continue;
            else if (value.IsNull)
                yield return new Outcome(prefix + name, "null", OutcomeKind.NoMeaning, "it is as if it were not given");
            else if (meaningless.TryGetValue(name, out var why))
                yield return new Outcome(prefix + name, value.ToString(), OutcomeKind.NoMeaning, why);
            else
                yield return new Outcome(prefix + name, value.ToString(), OutcomeKind.NotKnown, "it is left out");
        }
    }

    public UserErrorException Wrong(string name, PlacedJson value, string allowed) => new($"{value.Origin}: {prefix}{name} must be {allowed}, was {value}.");
}
