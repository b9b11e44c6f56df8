using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Streaming.Model.Checkpoints;

/// <summary>
/// <c>SHA256SUMS</c> of a folder, in the format of <c>sha256sum</c> (which checks it with <c>-c</c>); the sizes stand in
/// comment lines before.
/// </summary>
internal sealed class Checksums
{
    public const string FileName = "SHA256SUMS";

    private const int MaximumBytes = 1 << 16;

    private readonly List<(string Name, long Bytes, string Hash)> _files = [];

    /// <summary>Names of the files.</summary>
    public IEnumerable<string> Names => _files.Select(file => file.Name);

    /// <summary>Writes a file, synced to disk and read back meanwhile, and notes its size and hash. Several may be written at once.</summary>
    /// <param name="folder">The checkpoint's folder.</param>
    /// <param name="name">The file's name there, with the folder below where it lies in one (<c>pipeline/duplicates-0.bin</c>).</param>
    /// <param name="write">Writes the content.</param>
    /// <param name="givenUp">The file is not wanted any more.</param>
    /// <exception cref="CheckpointException">What is read is not what was written.</exception>
    public void WriteFile(string folder, string name, Action<Stream> write, CancellationToken givenUp)
    {
        using var file = new VerifiedFile(Path.Combine(folder, name), givenUp);
        write(file);
        var (bytes, hash) = file.Complete();
        lock (_files)
            _files.Add((name, bytes, hash));
    }

    /// <summary>Writes the list itself, synced to disk.</summary>
    public void Save(string folder)
    {
        var text = new StringBuilder();
        foreach (var (name, bytes, _) in _files)
            text.Append(CultureInfo.InvariantCulture, $"# {bytes} {name}\n");
        foreach (var (name, _, hash) in _files)
            text.Append(CultureInfo.InvariantCulture, $"{hash}  {name}\n");
        using var file = new FileStream(Path.Combine(folder, FileName), FileMode.CreateNew);
        file.Write(Encoding.UTF8.GetBytes(text.ToString()));
        file.Flush(flushToDisk: true);
    }

    /// <summary>Reads the list of a folder.</summary>
    /// <exception cref="CheckpointException">Missing, or not in the format.</exception>
    public static Checksums Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            if (new FileInfo(path).Length > MaximumBytes)
                throw new CheckpointException($"{path} is not a list of checksums: it is too long");
            var result = new Checksums();
            var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
            foreach (var line in File.ReadLines(path))
            {
                if (line.Split(' ', 3) is ["#", var size, var sized] && long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes))
                    sizes[sized] = bytes;
                else if (line.Length > 66 && line[64..66] == "  " && IsPlain(line[66..]) && sizes.TryGetValue(line[66..], out bytes))
                    result._files.Add((line[66..], bytes, line[..64]));
                else
                    throw new CheckpointException($"{path} is not a list of checksums: '{JsonObjectText.OneLine(line.Length <= 80 ? line : line[..80])}'");
            }
            return result;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Checks the size of every file, then the hash of every file.</summary>
    /// <exception cref="CheckpointException">One differs; the message says which and how.</exception>
    public void Verify(string folder)
    {
        RequireSizes(folder);
        var failures = new CheckpointException?[_files.Count];
        Parallel.For(0, _files.Count, index => failures[index] = Difference(Path.Combine(folder, _files[index].Name), _files[index].Hash));
        if (failures.FirstOrDefault(failure => failure is not null) is { } first)
            throw first;
    }

    /// <summary>Checks the hash of one file.</summary>
    /// <exception cref="CheckpointException">It differs, or is not in the list.</exception>
    public void Verify(string folder, string name)
    {
        var hash = _files.FirstOrDefault(file => file.Name == name).Hash ?? throw new CheckpointException($"{Path.Combine(folder, FileName)} does not list {name}: the checkpoint is not whole");
        if (Difference(Path.Combine(folder, name), hash) is { } difference)
            throw difference;
    }

    /// <summary>Checks the size of every file.</summary>
    /// <exception cref="CheckpointException">One is missing, or has another size.</exception>
    public void RequireSizes(string folder)
    {
        foreach (var (name, bytes, _) in _files)
        {
            var file = new FileInfo(Path.Combine(folder, name));
            if (!file.Exists)
                throw new CheckpointException($"{file.FullName} is missing");
            if (file.Length != bytes)
                throw new CheckpointException($"{file.FullName} has {file.Length} bytes, {bytes} were written");
        }
    }

    /// <summary>What a file is that has another hash than it was written with.</summary>
    public static CheckpointException Differs(string path) => new($"{path} is not what was written: its SHA-256 differs");

    private static CheckpointException? Difference(string path, string hash)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0, FileOptions.SequentialScan);
            using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
            while (file.Read(buffer) is > 0 and var count)
                sum.AppendData(buffer.AsSpan(0, count));
            ArrayPool<byte>.Shared.Return(buffer);
            return Convert.ToHexStringLower(sum.GetHashAndReset()) == hash ? null : Differs(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new CheckpointException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Whether a name leads to a file of the folder, or of a folder in it, and nowhere else.</summary>
    private static bool IsPlain(string name) =>
        name.Split('/') is { Length: <= 2 } parts && parts.All(part => part.Length > 0 && part is not ("." or "..") && Path.GetFileName(part) == part);
}
