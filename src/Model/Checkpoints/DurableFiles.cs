using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Streaming.Model.Checkpoints;

/// <summary>File operations that survive a power cut, where .NET has none: syncing a folder, renaming a symbolic link.</summary>
public static class DurableFiles
{
    private const int ReadOnly = 0; // O_RDONLY
    private const int CurrentFolder = -100; // AT_FDCWD
    private const uint Exchange = 2; // RENAME_EXCHANGE
    private const uint StartWriting = 2; // SYNC_FILE_RANGE_WRITE
    private const uint WriteAndWait = 7; // SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER

    private static readonly int[] s_cannotSync = [22, 30, 95]; // EINVAL, EROFS, ENOTSUP

    // EIO, ENOSPC, EDQUOT: the disk's own. A file system that knows no parts has others.
    private static readonly int[] s_diskErrors = [5, 28, 122];

    [DllImport("libc", SetLastError = true)]
    private static extern int open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int fsync(int descriptor);

    [DllImport("libc")]
    private static extern int close(int descriptor);

    [DllImport("libc", SetLastError = true)]
    private static extern int rename([MarshalAs(UnmanagedType.LPUTF8Str)] string from, [MarshalAs(UnmanagedType.LPUTF8Str)] string to);

    [DllImport("libc", SetLastError = true)]
    private static extern int renameat2(int fromFolder, [MarshalAs(UnmanagedType.LPUTF8Str)] string from, int toFolder, [MarshalAs(UnmanagedType.LPUTF8Str)] string to, uint flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int sync_file_range(SafeFileHandle descriptor, long offset, long bytes, uint flags);

    /// <summary>Lets the system begin to write part of a file to the disk, which it would put off until the file is synced. A hint: what cannot be done is left out.</summary>
    public static void BeginWriteback(SafeFileHandle file, long offset, long bytes) => _ = sync_file_range(file, offset, bytes, StartWriting);

    /// <summary>Writes a file's data to the disk part by part, before it is synced, which is then a matter of its length and its places on the disk.</summary>
    /// <exception cref="IOException">The disk takes no more, or fails: the sync that follows would not say so again.</exception>
    /// <exception cref="OperationCanceledException">It was given up.</exception>
    public static void Writeback(FileStream file, long bytes, CancellationToken givenUp)
    {
        const long part = 64 << 20;
        for (var begin = 0L; begin < bytes; begin += part)
        {
            givenUp.ThrowIfCancellationRequested();
            if (sync_file_range(file.SafeFileHandle, begin, Math.Min(part, bytes - begin), WriteAndWait) != 0 && Array.IndexOf(s_diskErrors, Marshal.GetLastPInvokeError()) >= 0)
                throw Failure(file.Name);
        }
    }

    /// <summary>Creates a folder, and those above it that are missing: each is durable.</summary>
    public static void CreateFolder(string path)
    {
        var folder = Path.GetFullPath(path);
        if (Directory.Exists(folder))
            return;
        var above = Path.GetDirectoryName(folder)!;
        CreateFolder(above);
        Directory.CreateDirectory(folder);
        SyncFolder(above);
    }

    /// <summary>Makes the names in a folder durable.</summary>
    public static void SyncFolder(string path) => Sync(path);

    /// <summary>Makes what others have written to a file durable.</summary>
    public static void SyncFile(string path) => Sync(path);

    private static void Sync(string path)
    {
        var descriptor = open(path, ReadOnly);
        if (descriptor < 0)
            throw Failure(path);
        try
        {
            // As .NET does it: what a file system cannot sync it need not.
            if (fsync(descriptor) != 0 && Array.IndexOf(s_cannotSync, Marshal.GetLastPInvokeError()) < 0)
                throw Failure(path);
        }
        finally
        {
            close(descriptor);
        }
    }

    /// <summary>Writes a file, whole or not at all.</summary>
    /// <exception cref="IOException">The disk is full, say; what was there before is as it was.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        var aside = path + ".new";
        using (var file = new FileStream(aside, FileMode.Create, FileAccess.Write))
        {
            file.Write(bytes);
            file.Flush(flushToDisk: true);
        }
        Rename(aside, path);
        SyncFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Replaces <paramref name="to"/> in one move; a symbolic link is moved, not followed.</summary>
    public static void Rename(string from, string to)
    {
        if (rename(from, to) != 0)
            throw Failure(to);
    }

    /// <summary>
    /// Gives <paramref name="from"/> the name <paramref name="to"/> in one move: at no moment is there nothing of that name. What
    /// bore it bears the name <paramref name="from"/> afterwards.
    /// </summary>
    public static void Replace(string from, string to)
    {
        if (!Path.Exists(to))
        {
            Rename(from, to);
            return;
        }
        if (!Directory.Exists(to))
            throw new IOException($"{to} is a file, and a folder is to bear that name");
        if (renameat2(CurrentFolder, from, CurrentFolder, to, Exchange) == 0)
            return;
        // A file system that cannot exchange: the older checkpoints stand while the name is missing.
        var aside = $"{from}-replaced";
        Rename(to, aside);
        Rename(from, to);
        Rename(aside, from);
    }

    /// <summary>Bytes that this user may still write to the disk of a folder; null where that cannot be told.</summary>
    public static long? FreeBytes(string folder)
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Removes what an interrupted <see cref="Point"/> left behind.</summary>
    public static void ClearLeftovers(string link)
    {
        // A pattern "latest.*" would match "latest" too.
        var prefix = Path.GetFileName(link) + ".";
        foreach (var leftover in Directory.GetFileSystemEntries(Path.GetDirectoryName(link)!).Where(entry => Path.GetFileName(entry).StartsWith(prefix, StringComparison.Ordinal)))
        {
            try
            {
                File.Delete(leftover);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // The next start clears it away.
            }
        }
    }

    /// <summary>The full path that a link of <see cref="Point"/> leads to, whether there is something or not; null where there is no link.</summary>
    public static string? Target(string link)
    {
        if (new FileInfo(link).LinkTarget is { } name)
            return Path.Combine(Path.GetDirectoryName(link)!, name);
        return Resolve(link) is var path && path != link ? path : null;
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
            using var file = new FileStream(aside, FileMode.Create, FileAccess.Write);
            file.Write(System.Text.Encoding.UTF8.GetBytes(name + "\n"));
            file.Flush(flushToDisk: true);
        }
        Rename(aside, link);
    }

    /// <summary>The folder that a link of <see cref="Point"/> leads to; any other path is returned as it is.</summary>
    public static string Resolve(string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length > 256)
            return path;
        var name = File.ReadAllText(path).Trim();
        return name.Length > 0 && Path.GetFileName(name) == name && !name.Any(char.IsControl) ? Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, name) : path;
    }

    private static IOException Failure(string path) =>
        new($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
}
