using Streaming.Hosting.Configuration.Hocon;
using Streaming.Streams;

namespace Streaming.Hosting.Configuration;

/// <summary>
/// Paths, which form one source named <c>text</c>, and objects, each of which is a source with a name of its own. A single
/// one needs no brackets.
/// </summary>
internal sealed class SourcesKind : ValueKind<IReadOnlyList<SourceEntry>>
{
    private const string TextName = "text";
    private static readonly SourcePathsKind _paths = new();
    private static readonly TextKind _name = new("a name of letters, digits, '-', '_' and '.'", Keys.NameForm());
    private static readonly TextKind _field = new("the name of a field");
    private static readonly NumberKind _weight = new(0, 1e9, aboveMinimum: true);
    private static readonly IntegerKind _epochs = new(0, 1_000_000);
    private static readonly ChoiceKind<SourceKind> _kind = new(
        ("auto", SourceKind.Auto), ("lines", SourceKind.Lines), ("wikipedia", SourceKind.Wikipedia), ("jsonl", SourceKind.JsonLines), ("parquet", SourceKind.Parquet));
    private static readonly string[] _fields = ["name", "path", "kind", "text-field", "weight", "epochs", "cleaning", "duplicates"];

    public override string Allowed => "a list of files, folders, globs, URLs, \"-\" or sources {name = …, path = …}, at least one";

    public override bool TryRead(ConfigurationValue value, out IReadOnlyList<SourceEntry> result) => Read(value, "", out result) is null;

    public override string? Explain(string path, ConfigurationValue value) => Read(value, path, out _);

    public override string Write(ConfigurationValue value, IReadOnlyList<SourceEntry> result) => $"[{string.Join(", ", Items(value).Select(WriteItem))}]";

    /// <returns>The sentence for the first item that is wrong, empty for a value that is wrong as a whole, or null.</returns>
    private static string? Read(ConfigurationValue value, string path, out IReadOnlyList<SourceEntry> result)
    {
        var entries = new List<SourceEntry>();
        result = entries;
        var files = new List<string>();
        var items = Items(value);
        for (var index = 0; index < items.Count; index++)
        {
            var place = value is ConfigurationList ? $"{path}[{index}]" : path;
            if (items[index] is ConfigurationObject source)
            {
                if (ReadSource(source, place, out var entry) is { } mistake)
                    return mistake;
                if (entries.Any(other => other.Name == entry.Name))
                    return $"{place}.name must be another one than those before it, was {entry.Name} ({source.Origin}).";
                entries.Add(entry);
            }
            else if (items[index] is ConfigurationScalar && _paths.TryRead(items[index], out var found))
            {
                files.AddRange(found);
            }
            else
            {
                return $"{place} must be a file, folder, glob, URL, \"-\" or a source {{name = …, path = …}}, was {HoconWriter.Write(items[index])} ({items[index].Origin}).";
            }
        }
        if (files.Count > 0)
        {
            if (entries.Any(entry => entry.Name == TextName))
                return $"{path} names a source {TextName}, which is what its paths without a name form; give those a name too ({value.Origin}).";
            entries.Insert(0, new SourceEntry { Name = TextName, Paths = files });
        }
        return entries.Count > 0 ? null : "";
    }

    private static string? ReadSource(ConfigurationObject source, string place, out SourceEntry entry)
    {
        entry = new SourceEntry { Name = "", Paths = [] };
        foreach (var (name, value) in source.Fields)
        {
            string? mistake;
            (mistake, entry) = name switch
            {
                "name" => Take(_name, value, place, name, entry, (it, text) => it with { Name = text }),
                "path" => Take(_paths, value, place, name, entry, (it, paths) => it with { Paths = paths }),
                "kind" => Take(_kind, value, place, name, entry, (it, kind) => it with { Kind = kind }),
                "text-field" => Take(_field, value, place, name, entry, (it, field) => it with { TextField = field }),
                "weight" => Take(_weight, value, place, name, entry, (it, weight) => it with { Weight = weight }),
                "epochs" => Take(_epochs, value, place, name, entry, (it, epochs) => it with { Epochs = epochs }),
                "cleaning" => Take(CleaningKinds.Rules, value, place, name, entry, (it, cleaning) => it with { Cleaning = cleaning }),
                "duplicates" => Take(CleaningKinds.Duplicates, value, place, name, entry, (it, duplicates) => it with { Duplicates = duplicates }),
                _ => ($"{place}.{name} is no key; the nearest is {_fields.MinBy(field => EditDistance.Between(field, name))} ({value.Origin}).", entry),
            };
            if (mistake is not null)
                return mistake;
        }
        if (entry.Name.Length == 0)
            return $"{place}.name is missing: it must be {_name.Allowed} ({source.Origin}).";
        return entry.Paths.Count > 0 ? null : $"{place}.path is missing: it must be {_paths.Allowed} ({source.Origin}).";
    }

    private static (string?, SourceEntry) Take<T>(
        ValueKind<T> kind, ConfigurationValue value, string place, string name, SourceEntry entry, Func<SourceEntry, T, SourceEntry> with)
        => kind.TryRead(value, out var typed)
            ? (null, with(entry, typed))
            : (kind.Refuse($"{place}.{name}", value), entry);

    private static IReadOnlyList<ConfigurationValue> Items(ConfigurationValue value) => value is ConfigurationList list ? list.Items : [value];

    private static string WriteItem(ConfigurationValue item) => item is ConfigurationObject source
        ? $"{{{string.Join(", ", source.Fields.Select(field => $"{field.Key} = {(field.Key == "path" ? WritePaths(field.Value) : HoconWriter.Write(field.Value))}"))}}}"
        : string.Join(", ", _paths.TryRead(item, out var paths) ? paths.Select(HoconWriter.Quote) : []);

    private static string WritePaths(ConfigurationValue value) => _paths.TryRead(value, out var paths) ? _paths.Write(value, paths) : HoconWriter.Write(value);
}

/// <summary>Files, folders, globs, URLs or <c>-</c>; a single one needs no brackets.</summary>
internal sealed class SourcePathsKind : ValueKind<IReadOnlyList<string>>
{
    public override string Allowed => "a file, folder, glob, URL or \"-\", or a list of them";

    public override bool TryRead(ConfigurationValue value, out IReadOnlyList<string> result)
    {
        var paths = new List<string>();
        result = paths;
        foreach (var item in value is ConfigurationList list ? list.Items : [value])
        {
            if (item is not ConfigurationScalar { IsNull: false } scalar || scalar.Text.Length == 0 || scalar.Text.Contains('\0'))
                return false;
            paths.Add(scalar.Text == "-" || IsUrl(scalar.Text) ? scalar.Text : PathKind.Locate(scalar.Text, scalar.Origin, PathRole.Input));
        }
        return paths.Count > 0;
    }

    public override string Write(ConfigurationValue value, IReadOnlyList<string> result) => $"[{string.Join(", ", result.Select(HoconWriter.Quote))}]";

    /// <summary>Whatever its scheme: one that is not read is refused where sources are opened, as no path.</summary>
    private static bool IsUrl(string text) => text.IndexOf("://", StringComparison.Ordinal) > 0;
}
