using System.IO.Enumeration;

namespace Streaming.Streams.Sources;

/// <summary>Globs as a shell knows them: <c>*</c> and <c>?</c> within a name, <c>**</c> for any folders. Hidden names must be named.</summary>
internal static class GlobPattern
{
    public static bool IsGlob(string path) => path.AsSpan().ContainsAny('*', '?');

    /// <summary>The files that match, sorted by ordinal comparison of their paths.</summary>
    public static IReadOnlyList<string> Match(string glob)
    {
        var rooted = Path.IsPathRooted(glob);
        var segments = glob.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var found = new SortedSet<string>(StringComparer.Ordinal);
        Collect(rooted ? "/" : "", segments, found);
        return [.. found];
    }

    private static void Collect(string folder, ReadOnlySpan<string> segments, SortedSet<string> found)
    {
        var segment = segments[0];
        var rest = segments[1..];
        if (segment == "**")
        {
            if (rest.IsEmpty)
                rest = new[] { "*" };
            Collect(folder, rest, found);
            foreach (var child in Names(folder, "*", folders: true))
                Collect(Path.Combine(folder, child), segments, found);
        }
        else if (!rest.IsEmpty)
        {
            foreach (var child in Names(folder, segment, folders: true))
                Collect(Path.Combine(folder, child), rest, found);
        }
        else
        {
            foreach (var child in Names(folder, segment, folders: false))
                found.Add(Path.Combine(folder, child));
        }
    }

    private static List<string> Names(string folder, string pattern, bool folders)
    {
        var path = folder.Length == 0 ? "." : folder;
        if (!IsGlob(pattern))
        {
            var child = Path.Combine(path, pattern);
            return (folders ? Directory.Exists(child) : File.Exists(child)) ? [pattern] : [];
        }
        if (!Directory.Exists(path))
            return [];
        try
        {
            var entries = new FileSystemEnumerable<string>(path, (ref entry) => entry.FileName.ToString(), new EnumerationOptions { AttributesToSkip = 0 })
            {
                ShouldIncludePredicate = (ref entry) => entry.IsDirectory == folders
                    && (pattern[0] == '.' || entry.FileName[0] != '.')
                    && FileSystemName.MatchesSimpleExpression(pattern.Replace(@"\", @"\\"), entry.FileName, ignoreCase: false),
            };
            return [.. entries];
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new SourceException($"the folder {path} cannot be listed; check its permissions.", exception);
        }
    }
}
