using System.Runtime.InteropServices;

namespace Streaming.Model.Fused.Cuda;

/// <summary>Finds the CUDA libraries that libtorch brought into the process, and those that lie beside them.</summary>
internal static class NativeImages
{
    /// <summary>A handle of the library whose file name starts with <paramref name="prefix"/>: already mapped, or beside a mapped one.</summary>
    /// <exception cref="DllNotFoundException">It is neither mapped nor beside what is mapped.</exception>
    public static nint Open(string prefix, params ReadOnlySpan<string> neighbours)
    {
        var mapped = Mapped();
        foreach (var path in mapped)
            if (Path.GetFileName(path).StartsWith(prefix, StringComparison.Ordinal) && !path.Contains("builtins", StringComparison.Ordinal)
                && NativeLibrary.TryLoad(path, out var handle))
                return handle;
        foreach (var neighbour in neighbours)
            foreach (var path in mapped)
            {
                if (!Path.GetFileName(path).StartsWith(neighbour, StringComparison.Ordinal))
                    continue;
                foreach (var candidate in Directory.EnumerateFiles(Path.GetDirectoryName(path)!, prefix + "*").Order(StringComparer.Ordinal))
                    if (!candidate.Contains("builtins", StringComparison.Ordinal) && NativeLibrary.TryLoad(candidate, out var handle))
                        return handle;
            }
        if (NativeLibrary.TryLoad(prefix, out var found))
            return found;
        throw new DllNotFoundException($"{prefix}* is neither loaded nor beside the libraries of libtorch");
    }

    private static List<string> Mapped()
    {
        var paths = new List<string>();
        foreach (var line in File.ReadLines("/proc/self/maps"))
        {
            var start = line.IndexOf('/', StringComparison.Ordinal);
            if (start < 0 || !line.Contains(".so", StringComparison.Ordinal))
                continue;
            var path = line[start..];
            if (!paths.Contains(path))
                paths.Add(path);
        }
        return paths;
    }
}
