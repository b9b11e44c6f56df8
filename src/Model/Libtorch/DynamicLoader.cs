using System.Runtime.InteropServices;

namespace Streaming.Model.Libtorch;

/// <summary>
/// The system's dynamic loader. Unlike <see cref="NativeLibrary"/> it returns the loader's own sentence on failure and can
/// make symbols global. Handles are interchangeable with those of <see cref="NativeLibrary"/>.
/// </summary>
internal static class DynamicLoader
{
    private const int BindNow = 0x2, Global = 0x100;

    // libdl.so.2 exports dlopen in every glibc, libc.so.6 only since 2.34.
    [DllImport("libdl.so.2", CharSet = CharSet.Ansi, BestFitMapping = false)]
    private static extern nint dlopen([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libdl.so.2")]
    private static extern nint dlerror();

    /// <summary>Loads a library and binds every symbol at once, so that a library that does not fit fails here and not in a call.</summary>
    /// <param name="path">An absolute path, or a bare name for the loader's own search.</param>
    /// <param name="global">Lets libraries loaded later find this one's symbols.</param>
    /// <param name="error">The loader's message, empty on success.</param>
    /// <returns>The handle; 0 on failure.</returns>
    public static nint TryLoad(string path, bool global, out string error)
    {
        // The first call of a native function makes the runtime use the loader itself, which would wipe out dlopen's message:
        // so dlerror is called, and thereby bound, before it matters.
        dlerror();
        var handle = dlopen(path, BindNow | (global ? Global : 0));
        error = handle != 0 ? "" : Marshal.PtrToStringUTF8(dlerror()) ?? "unknown error of the dynamic loader";
        return handle;
    }

    /// <summary>
    /// As <see cref="TryLoad"/>, and where the loader misses a dependency that lies in one of <paramref name="folders"/>,
    /// loads that one first: an installed PyTorch spreads CUDA's libraries over <c>nvidia/*/lib</c>.
    /// </summary>
    public static nint TryLoadWithDependencies(string path, IReadOnlyList<string> folders, out string error)
    {
        var tried = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            var handle = TryLoad(path, global: false, out error);
            if (handle != 0 || MissingLibrary(error) is not { } name || !tried.Add(name))
                return handle;
            var dependency = folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
            if (dependency is null)
                return 0;
            if (TryLoadDependency(dependency, folders, tried, out var reason) == 0)
            {
                error = reason;
                return 0;
            }
        }
    }

    private static nint TryLoadDependency(string path, IReadOnlyList<string> folders, HashSet<string> tried, out string error)
    {
        while (true)
        {
            var handle = TryLoad(path, global: true, out error);
            if (handle != 0 || MissingLibrary(error) is not { } name || !tried.Add(name))
                return handle;
            var dependency = folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
            if (dependency is null || TryLoadDependency(dependency, folders, tried, out error) == 0)
                return 0;
        }
    }

    /// <summary>The library's name in <c>libx.so.1: cannot open shared object file: No such file or directory</c>.</summary>
    private static string? MissingLibrary(string error)
    {
        var end = error.IndexOf(": cannot open shared object file", StringComparison.Ordinal);
        return end > 0 && !error[..end].Contains('/') ? error[..end] : null;
    }
}
