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
        var path = Path.Combine(folder, name);
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 1 << 20);
        using var hashing = new HashingStream(file, givenUp);
        write(hashing);
        file.Flush();
        var entry = (name, file.Length, hashing.Hash());
        // Hashing a large file takes about as long as the disk takes for what of it has not been written back yet.
        var reading = Task.Factory.StartNew(() => Difference(path, entry.Item3, givenUp), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            DurableFiles.Writeback(file.SafeFileHandle, file.Length, givenUp); // a sync of everything at once cannot be given up
            file.Flush(flushToDisk: true);
        }
        finally
        {
            ((IAsyncResult)reading).AsyncWaitHandle.WaitOne();
        }
        givenUp.ThrowIfCancellationRequested();
        if (reading.GetAwaiter().GetResult() is { } difference)
            throw difference;
        lock (_files)
            _files.Add(entry);
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
                    throw new CheckpointException($"{path} is not a list of checksums: '{(line.Length <= 80 ? line : line[..80])}'");
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
        Parallel.For(0, _files.Count, index => failures[index] = Difference(Path.Combine(folder, _files[index].Name), _files[index].Hash, CancellationToken.None));
        if (failures.FirstOrDefault(failure => failure is not null) is { } first)
            throw first;
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

    private static CheckpointException? Difference(string path, string hash, CancellationToken givenUp)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0, FileOptions.SequentialScan);
            using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
            while (!givenUp.IsCancellationRequested && file.Read(buffer) is > 0 and var count)
                sum.AppendData(buffer.AsSpan(0, count));
            ArrayPool<byte>.Shared.Return(buffer);
            return Convert.ToHexStringLower(sum.GetHashAndReset()) == hash ? null : new CheckpointException($"{path} is not what was written: its SHA-256 differs");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new CheckpointException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Whether a name leads to a file of the folder, or of a folder in it, and nowhere else.</summary>
    private static bool IsPlain(string name) =>
        name.Split('/') is { Length: <= 2 } parts && parts.All(part => part.Length > 0 && part is not ("." or "..") && Path.GetFileName(part) == part);

    /// <summary>Writes everything to a file and hashes it; large parts are on their way to the disk before the file is synced.</summary>
    private sealed class HashingStream(FileStream target, CancellationToken givenUp) : Stream
    {
        // Hashing takes about as long as writing into the page cache. No piece takes long, so that it can be given up.
        private const int WorthAnotherThread = 1 << 20, Piece = 32 << 20;

        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public string Hash() => Convert.ToHexStringLower(_hash.GetHashAndReset());

        public override unsafe void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length < WorthAnotherThread)
            {
                _hash.AppendData(buffer);
                target.Write(buffer);
                return;
            }
            for (; buffer.Length > Piece; buffer = buffer[Piece..])
                Write(buffer[..Piece]);
            givenUp.ThrowIfCancellationRequested();
            fixed (byte* pointer = buffer)
            {
                var (address, length) = ((nint)pointer, buffer.Length);
                var hashing = Task.Run(() => _hash.AppendData(new ReadOnlySpan<byte>((void*)address, length)));
                try
                {
                    var begin = target.Position;
                    target.Write(buffer);
                    DurableFiles.BeginWriteback(target.SafeFileHandle, begin, buffer.Length);
                }
                finally
                {
                    hashing.Wait(); // it reads the caller's memory
                }
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => target.Flush();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _hash.Dispose();
            base.Dispose(disposing);
        }

        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
