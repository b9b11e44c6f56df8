using System.Text.RegularExpressions;

namespace Streaming.Hosting.Configuration;

/// <summary>What the table of keys is written with.</summary>
internal static partial class Keys
{
    public const string Root = "streaming";

    private static Key<T> Add<T>(ValueKind<T> kind, string path, string @default, string description, string unit = "", string recipe = "")
    {
        var key = new Key<T>(kind) { Path = $"{Root}.{path}", Default = @default, Description = description, Unit = unit, Recipe = recipe };
        _all.Add(key);
        return key;
    }

    private static Key<long> Integer(string path, string @default, long minimum, long maximum, string description, string unit = "", string recipe = "")
        => Add(new IntegerKind(minimum, maximum), path, @default, description, unit, recipe);

    private static Key<bool> Switch(string path, string @default, string description, string recipe = "")
        => Add(new SwitchKind(), path, @default, description, recipe: recipe);

    private static Key<TimeSpan> Duration(string path, string @default, TimeSpan minimum, TimeSpan maximum, string description)
        => Add(new DurationKind(minimum, maximum), path, @default, description);

    private static Key<string> File(string path, string @default, PathRole role, string description, string recipe = "")
        => Add(new PathKind(role, "a path"), path, @default, description, recipe: recipe);

    private static Key<string> File(string path, string @default, PathRole role, string[] words, string description, string recipe = "")
        => Add(new PathKind(role, $"{string.Join(", ", words)} or a path", words), path, @default, description, recipe: recipe);

    [GeneratedRegex(@"^(auto|cpu|cuda(:\d{1,3})?)$")]
    private static partial Regex DeviceForm();

    [GeneratedRegex(@"^[^.]+(\.[^.]+)*$")]
    private static partial Regex FieldForm();

    [GeneratedRegex(@"^[\p{L}\p{Nd}._-]{1,100}$")]
    internal static partial Regex NameForm();
}
