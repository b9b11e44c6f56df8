using System.Globalization;
using System.Text;
using Streaming.Model.Checkpoints;

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

    /// <summary>What was left out of the text, a JSON object a line.</summary>
    public string SkippedPath => System.IO.Path.Combine(Path, "skipped.jsonl");

    /// <summary>What is to be left out of the text when the run comes to a step again.</summary>
    public string SkipsPath => System.IO.Path.Combine(Path, "skips.json");

    /// <summary>A cursor for each checkpoint, those that are pruned included: from where provenance reads the text again.</summary>
    public string CursorsPath => System.IO.Path.Combine(Path, "cursors.jsonl");

    /// <summary>Every step's tokens, where they are recorded.</summary>
    public string TokensPath => System.IO.Path.Combine(Path, "tokens.bin");

    /// <summary>Which faults of a plan have happened.</summary>
    public string FaultsPath => System.IO.Path.Combine(Path, "faults.log");

    private string[] Journals => [MetricsPath, SkippedPath, CursorsPath, TokensPath];

    /// <summary>Makes everything durable that the run has written into its journals. On any thread.</summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    public void SyncJournals()
    {
        foreach (var journal in Journals.Where(File.Exists))
            DurableFiles.SyncFile(journal);
        DurableFiles.SyncFolder(Path);
    }

    /// <summary>Creates the folder where it is missing and locks it.</summary>
    /// <exception cref="RunRefusedException">Another process holds it, or it cannot be created or written.</exception>
    public static RunDirectory Open(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        try
        {
            DurableFiles.CreateFolder(full);
            var lockPath = System.IO.Path.Combine(full, "run.lock");
            var held = new FileStream(lockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            held.SetLength(0);
            held.Write(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{Environment.ProcessId} {Environment.MachineName}\n")));
            held.Flush();
            var directory = new RunDirectory(full, held);
            directory.RequireWritable();
            return directory;
        }
        catch (IOException failure) when (IsSharingViolation(failure))
        {
            throw new RunRefusedException(
                $"run directory {full} is in use by another process: stop that run first, or name another run directory", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new RunRefusedException(
                $"run directory {full} cannot be written ({failure.Message.TrimEnd('.')}): name a folder that this user may write", failure);
        }
    }

    /// <summary>
    /// Moves what a new beginning would overwrite to <c>set-aside/&lt;time&gt;</c> within the run directory: checkpoints beyond
    /// <paramref name="step"/>, and at a beginning from nothing the journals too.
    /// </summary>
    /// <param name="checkpoints">Checkpoint folders with their steps.</param>
    /// <param name="step">The step the run goes on from; null begins from nothing.</param>
    /// <returns>Where they lie now; null where there was nothing to move.</returns>
    public string? SetAside(IEnumerable<(string Path, long Step)> checkpoints, long? step)
    {
        var moved = checkpoints.Where(checkpoint => step is null || checkpoint.Step > step).Select(checkpoint => checkpoint.Path).ToList();
        if (step is null)
            moved.AddRange(Journals.Concat([FaultsPath, SkipsPath]).Where(File.Exists));
        if (moved.Count == 0)
            return null;
        var target = System.IO.Path.Combine(Path, "set-aside", DateTime.UtcNow.ToString("yyyyMMdd'T'HHmmss'.'fff", CultureInfo.InvariantCulture));
        Directory.CreateDirectory(target);
        foreach (var source in moved)
            Directory.Move(source, System.IO.Path.Combine(target, System.IO.Path.GetFileName(source)));
        return target;
    }

    public void Dispose() => _lock.Dispose();

    /// <summary>What another user left behind, root say, would fail the run at its first line or its first checkpoint.</summary>
    private void RequireWritable()
    {
        foreach (var file in Journals.Append(System.IO.Path.Combine(Path, "events.jsonl")))
        {
            if (File.Exists(file) || Directory.Exists(file))
                Require(file, () => new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose());
        }
        if (File.Exists(CheckpointsPath))
            Refuse($"{CheckpointsPath} is a file, and the run's checkpoints are to lie in a folder of that name");
        foreach (var link in new[] { "latest", "best" }.Select(name => new DirectoryInfo(System.IO.Path.Combine(CheckpointsPath, name))))
        {
            if (link.Exists && link.LinkTarget is null)
                Refuse($"{link.FullName} is a folder, as a copy that follows links makes it, and a link to a checkpoint is to bear that name");
        }
        var probe = System.IO.Path.Combine(CheckpointsPath, ".probe");
        if (Directory.Exists(CheckpointsPath))
            Require(CheckpointsPath, () => new FileStream(probe, FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose).Dispose());

        void Refuse(string sentence)
        {
            Dispose();
            throw new RunRefusedException($"{sentence}: rename or remove it");
        }

        void Require(string path, Action write)
        {
            try
            {
                write();
            }
            catch (Exception failure) when (failure is UnauthorizedAccessException || (failure is IOException && !IsFull(failure)))
            {
                Dispose();
                throw new RunRefusedException($"{path} cannot be written ({failure.Message.TrimEnd('.')}): give it to the user that trains, or name another run directory", failure);
            }
        }
    }

    // ENOSPC, which may pass before the next checkpoint.
    private static bool IsFull(Exception failure) => (failure.HResult & 0xFFFF) == 28;

    // EWOULDBLOCK on Linux (11), ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION on Windows: .NET passes them through.
    private static bool IsSharingViolation(IOException failure) =>
        (failure.HResult & 0xFFFF) is 11 or 35 or 32 or 33;
}
