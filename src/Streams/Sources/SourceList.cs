using System.IO.Enumeration;
using Streaming.Streams.Sources.Http;

namespace Streaming.Streams.Sources;

/// <summary>Turns what the user named as sources into files, in reading order.</summary>
public static class SourceList
{
    /// <summary>
    /// Files and URLs as they are, <c>-</c> as standard input, folders as all files in them and in their folders, globs as
    /// their files, both sorted by ordinal comparison and without hidden ones. A name that is both a file and a glob is
    /// the file. The servers of URLs are asked for the lengths.
    /// </summary>
    /// <param name="http">How URLs are read.</param>
    /// <exception cref="SourceException">A source is missing or empty, a server does not answer, or standard input is named twice.</exception>
    public static IReadOnlyList<SourceFile> Expand(IReadOnlyList<string> sources, HttpOptions? http = null)
    {
        if (sources.Count == 0)
            throw new SourceException("there are no sources; name files, folders, URLs, a glob such as data/*.xz, or - for standard input.");
        var files = new List<SourceFile>();
        foreach (var source in sources)
        {
            if (source == SourceFile.StandardInput)
                files.Add(new SourceFile(source, null));
            else if (HttpAddress.IsHttp(source))
                files.Add(SourceFile.Ask(source, http ?? HttpOptions.Default));
            else if (File.Exists(source))
                files.Add(Measure(source));
            else if (Directory.Exists(source))
                files.AddRange(List(source));
            else if (GlobPattern.IsGlob(source))
                files.AddRange(Match(source));
            else
                throw new SourceException(WhatIsWrong(source));
        }
        if (files.Count(file => file.IsStandardInput) > 1)
            throw new SourceException("standard input is named twice among the sources; name it once.");
        return files;
    }

    private static string WhatIsWrong(string source)
    {
        if (source.Length == 0)
            return "a source is named by an empty text; name a file, a folder, a URL, a glob, or - for standard input.";
        var scheme = source.IndexOf("://", StringComparison.Ordinal);
        if (scheme > 0)
            return $"a source begins with {source[..(scheme + 3)]}, which is not read; give a path, or a URL that begins with http:// or https://.";
        if (source.StartsWith("~/", StringComparison.Ordinal))
            return $"{source} does not exist; write the home folder in full, as only a shell knows what ~ stands for.";
        return $"{source} does not exist; check the path (it is looked up from {Directory.GetCurrentDirectory()}).";
    }

    private static IEnumerable<SourceFile> Match(string glob)
    {
        var paths = GlobPattern.Match(glob);
        return paths.Count > 0
            ? paths.Select(Measure)
            : throw new SourceException($"{glob} matches no file; check the pattern (it is looked up from {Directory.GetCurrentDirectory()}).");
    }

    private static IEnumerable<SourceFile> List(string folder)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false };
        try
        {
            string[] paths = [.. new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) => entry.ToSpecifiedFullPath(), options)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && entry.FileName[0] != '.',
                ShouldRecursePredicate = (ref FileSystemEntry entry) => entry.FileName[0] != '.' && (entry.Attributes & FileAttributes.ReparsePoint) == 0,
            }.Order(StringComparer.Ordinal)];
            return paths.Length > 0
                ? paths.Select(Measure)
                : throw new SourceException($"the folder {folder} holds no files; name another, or put the text there.");
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new SourceException($"the folder {folder} cannot be listed ({exception.Message.TrimEnd('.')}); check its permissions.", exception);
        }
    }

    private static SourceFile Measure(string path)
    {
        var file = new FileInfo(path);
        file = file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file;
        // /dev/stdin and a shell's <(command) are links to pipes, which have no path of their own.
        return new SourceFile(path, file.Exists ? file.Length : null);
    }
}
