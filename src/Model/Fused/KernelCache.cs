namespace Streaming.Model.Fused;

/// <summary>Where compiled kernels and the fastest algorithms of products are kept.</summary>
public static class KernelCache
{
    /// <summary>Below <c>XDG_CACHE_HOME</c> or <c>~/.cache</c>, or with temporary files where there is no home.</summary>
    public static string Folder { get; } = Path.Combine(Root(), "streaming", "kernels");

    private static string Root()
    {
        var root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (!string.IsNullOrEmpty(root) && Path.IsPathRooted(root)) return root;
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return home.Length > 0 ? Path.Combine(home, ".cache") : Path.GetTempPath();
    }
}
