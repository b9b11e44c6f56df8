using System.Runtime.InteropServices;

namespace Streaming.Model.Checkpoints;

/// <summary>File operations that survive a power cut, where .NET has none: syncing a folder, renaming a symbolic link.</summary>
public static class DurableFiles
{
    private const int ReadOnly = 0; // O_RDONLY

    [DllImport("libc", SetLastError = true)]
    private static extern int open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int fsync(int descriptor);

    [DllImport("libc")]
    private static extern int close(int descriptor);

    [DllImport("libc", SetLastError = true)]
    private static extern int rename([MarshalAs(UnmanagedType.LPUTF8Str)] string from, [MarshalAs(UnmanagedType.LPUTF8Str)] string to);

    /// <summary>Makes the names in a folder durable.</summary>
    public static void SyncFolder(string path)
    {
        var descriptor = open(path, ReadOnly);
        if (descriptor < 0)
            throw Failure(path);
        try
        {
            if (fsync(descriptor) != 0)
                throw Failure(path);
        }
        finally
        {
            close(descriptor);
        }
    }

    /// <summary>Replaces <paramref name="to"/> in one move; a symbolic link is moved, not followed.</summary>
    public static void Rename(string from, string to)
    {
        if (rename(from, to) != 0)
            throw Failure(to);
    }

    /// <summary>
    /// Points <paramref name="link"/> at a name in the same folder, in one move: by a symbolic link, or by a text file with
    /// the name where the file system has no links.
    /// </summary>
    public static void Point(string link, string name)
    {
        var aside = $"{link}.{Guid.NewGuid():N}";
        try
        {
            File.CreateSymbolicLink(aside, name);
        }
        catch (IOException)
        {
            File.WriteAllText(aside, name + "\n");
        }
        Rename(aside, link);
    }

    /// <summary>The folder that a link of <see cref="Point"/> leads to; any other path is returned as it is.</summary>
    public static string Resolve(string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length > 256)
            return path;
        var name = File.ReadAllText(path).Trim();
        return name.Length > 0 && Path.GetFileName(name) == name ? Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, name) : path;
    }

    private static IOException Failure(string path) =>
        new($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
}
