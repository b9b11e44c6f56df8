namespace Streaming.Streams.Sources;

/// <summary>Turns what the user named as sources into files, in reading order.</summary>
public static class SourceList
{
    /// <summary>
    /// Files as they are, <c>-</c> as standard input, globs as their files sorted by ordinal comparison. A name that is
    /// both a file and a glob is the file.
    /// </summary>
    /// <exception cref="SourceException">A source is missing, empty, a folder, or standard input twice.</exception>
    public static IReadOnlyList<SourceFile> Expand(IReadOnlyList<string> sources)
    {
        if (sources.Count == 0)
            throw new SourceException("there are no sources; name files, a glob such as data/*.xz, or - for standard input.");
        var files = new List<SourceFile>();
        foreach (var source in sources)
        {
            if (source == SourceFile.StandardInput)
                files.Add(new SourceFile(source, null));
            else if (File.Exists(source))
                files.Add(Measure(source));
            else if (Directory.Exists(source))
                throw new SourceException($"{source} is a folder; name its files, for example {Path.Combine(source, "*")}.");
            else if (GlobPattern.IsGlob(source))
                files.AddRange(Match(source));
            else if (source.Length == 0)
                throw new SourceException("a source is named by an empty text; name a file, a glob, or - for standard input.");
            else
                throw new SourceException($"{source} does not exist; check the path (it is looked up from {Directory.GetCurrentDirectory()}).");
        }
        if (files.Count(file => file.IsStandardInput) > 1)
            throw new SourceException("standard input is named twice among the sources; name it once.");
        return files;
    }

    private static IEnumerable<SourceFile> Match(string glob)
    {
        var paths = GlobPattern.Match(glob);
        return paths.Count > 0
            ? paths.Select(Measure)
            : throw new SourceException($"{glob} matches no file; check the pattern (it is looked up from {Directory.GetCurrentDirectory()}).");
    }

    private static SourceFile Measure(string path)
    {
        var file = new FileInfo(path);
        file = file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file;
        // /dev/stdin and a shell's <(command) are links to pipes, which have no path of their own.
        return new SourceFile(path, file.Exists ? file.Length : null);
    }
}
