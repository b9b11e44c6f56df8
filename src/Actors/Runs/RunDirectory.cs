using System.Globalization;

namespace Streaming.Actors;

/// <summary>
/// A run's folder, held by this process alone for as long as the object lives: a lock on <c>run.lock</c> that the kernel
/// releases even where the process is killed.
/// </summary>
internal sealed class RunDirectory : IDisposable
{
    private readonly FileStream _lock;

    private RunDirectory(string path, FileStream fileLock)
    {
        Path = path;
        _lock = fileLock;
    }

    /// <summary>Full path of the folder.</summary>
    public string Path { get; }

    public string CheckpointsPath => System.IO.Path.Combine(Path, "checkpoints");

    public string MetricsPath => System.IO.Path.Combine(Path, "metrics.jsonl");

    /// <summary>Creates the folder where it is missing and locks it.</summary>
    /// <exception cref="RunRefusedException">Another process holds it, or it cannot be created or written.</exception>
    public static RunDirectory Open(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        try
        {
            Directory.CreateDirectory(full);
            var lockPath = System.IO.Path.Combine(full, "run.lock");
            return new RunDirectory(full, new FileStream(lockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException failure) when (IsSharingViolation(failure))
        {
            throw new RunRefusedException(
                $"run directory {full} is in use by another process: stop that run first, or name another run directory", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new RunRefusedException(
                $"run directory {full} cannot be written ({failure.Message}): name a folder that this user may write", failure);
        }
    }

    /// <summary>
    /// Moves what a new beginning would overwrite to <c>set-aside/&lt;time&gt;</c> within the run directory: checkpoints beyond
    /// <paramref name="step"/>, and at a beginning from nothing the journal too.
    /// </summary>
    /// <param name="checkpoints">Checkpoint folders with their steps.</param>
    /// <param name="step">The step the run goes on from; null begins from nothing.</param>
    /// <returns>Where they lie now; null where there was nothing to move.</returns>
    public string? SetAside(IEnumerable<(string Path, long Step)> checkpoints, long? step)
    {
        var moved = checkpoints.Where(checkpoint => step is null || checkpoint.Step > step).Select(checkpoint => checkpoint.Path).ToList();
        if (step is null && File.Exists(MetricsPath))
            moved.Add(MetricsPath);
        if (moved.Count == 0)
            return null;
        var target = System.IO.Path.Combine(Path, "set-aside", DateTime.UtcNow.ToString("yyyyMMdd'T'HHmmss'.'fff", CultureInfo.InvariantCulture));
        Directory.CreateDirectory(target);
        foreach (var source in moved)
            Directory.Move(source, System.IO.Path.Combine(target, System.IO.Path.GetFileName(source)));
        return target;
    }

    public void Dispose() => _lock.Dispose();

    // EWOULDBLOCK on Linux (11), ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION on Windows: .NET passes them through.
    private static bool IsSharingViolation(IOException failure) =>
        (failure.HResult & 0xFFFF) is 11 or 35 or 32 or 33;
}
