namespace Streaming.Tests;

/// <summary>
/// Finds the reference data beside the checkout (<c>../shared/data</c>), or in the folder that the environment variable
/// <c>STREAMING_REFERENCE_DATA</c> names, or skips the test with the reason.
/// </summary>
internal static class ReferenceData
{
    private const string Variable = "STREAMING_REFERENCE_DATA";

    private static readonly Lazy<string?> s_root = new(FindRoot);

    /// <summary>The checkout's root: the nearest parent folder of the test binaries that holds <c>Streaming.sln</c>.</summary>
    public static string RepositoryRoot =>
        s_root.Value ?? throw new InvalidOperationException("Streaming.sln was not found above " + AppContext.BaseDirectory);

    /// <summary>The full path of a reference file or folder; skips the calling test where it is missing.</summary>
    public static string Path(string relative)
    {
        var named = Environment.GetEnvironmentVariable(Variable);
        var folder = !string.IsNullOrEmpty(named) ? named : s_root.Value is { } root ? System.IO.Path.Combine(root, "..", "shared", "data") : null;
        if (folder is null)
            Assert.Skip($"reference data is missing: there is no checkout above {AppContext.BaseDirectory}, and {Variable} names no folder");
        var path = System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, relative));
        if (!File.Exists(path) && !Directory.Exists(path))
            Assert.Skip($"reference data is missing: {path} ({Variable} may name another folder)");
        return path;
    }

    private static string? FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder.FullName, "Streaming.sln")))
            folder = folder.Parent;
        return folder?.FullName;
    }
}
