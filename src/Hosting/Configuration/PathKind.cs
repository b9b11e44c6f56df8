using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Configuration;

/// <summary>Where a relative path of the built-in defaults starts: they lie beside the program, results beside the user.</summary>
internal enum PathRole { Input, Output }

/// <summary>A file or folder, made absolute from where the value was written; a few words may stand for themselves.</summary>
internal sealed class PathKind(PathRole role, string allowed, params string[] words) : ValueKind<string>
{
    public override string Allowed => allowed;

    public override bool TryRead(ConfigurationValue value, out string result)
    {
        result = "";
        if (value is not ConfigurationScalar { IsNull: false } scalar || scalar.Text.Length == 0 || scalar.Text.Contains('\0'))
            return false;
        result = words.Contains(scalar.Text) ? scalar.Text : Locate(scalar.Text, value.Origin, role);
        return true;
    }

    public override string Write(ConfigurationValue value, string result) => words.Contains(result) ? result : HoconWriter.Quote(result);

    internal static string Locate(string path, Origin origin, PathRole role)
    {
        if (path == "~" || path.StartsWith("~/", StringComparison.Ordinal))
            path = Path.Join(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), path[1..]);
        var folder = role == PathRole.Output && origin.Source == SettingsLoader.ReferenceName ? Environment.CurrentDirectory : origin.Folder;
        return Path.GetFullPath(path, folder);
    }
}
