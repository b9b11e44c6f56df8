namespace Streaming.Tests;

/// <summary>Finds the reference data beside the checkout (<c>../shared/data</c>), or skips the test with the reason.</summary>
internal static class ReferenceData
{
    /// <summary>The checkout's root: the nearest parent folder of the test binaries that holds <c>Streaming.sln</c>.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The full path of a reference file or folder; skips the calling test where it is missing.</summary>
    public static string Path(string relative)
    {
        var path = System.IO.Path.GetFullPath(System.IO.Path.Combine(RepositoryRoot, "..", "shared", "data", relative));
        if (!File.Exists(path) && !Directory.Exists(path))
            Assert.Skip($"reference data is missing: ../shared/data/{relative}");
        return path;
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder.FullName, "Streaming.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("Streaming.sln was not found above " + AppContext.BaseDirectory);
    }
}
