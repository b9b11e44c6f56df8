namespace Streaming.Streams.Sources.Http;

/// <summary>
/// A remote file that is written into the cache folder as it is read. What the folder holds already is read from there; it
/// counts as complete once the server's length has been reached. One reader writes at a time, others read past the cache.
/// What lies behind a place that was sought is read and not kept, as the cache holds the file from its start on.
/// </summary>
internal sealed class CachedHttpStream : Stream
{
    private const long BytesBetweenFlushes = 64L << 20;

    private readonly HttpReadStream _remote;
    private readonly HttpCacheEntry _entry;
    private readonly HttpOptions _options;
    private readonly FileStream _file;
    private bool _keeps = true;
    private long _stored;
    private long _safe;
    private long _position;

    private CachedHttpStream(HttpReadStream remote, HttpCacheEntry entry, HttpOptions options, FileStream file, long stored)
    {
        (_remote, _entry, _options, _file, _stored, _safe) = (remote, entry, options, file, stored, stored);
        _file.SetLength(stored);
        _file.Position = stored;
    }

    /// <summary>The version that is kept as a whole; null where it is not.</summary>
    public static RemoteVersion? CompleteVersion(HttpAddress address, string folder) =>
        new HttpCacheEntry(folder, address).Read() is { IsComplete: true } found ? found.Version : null;

    /// <summary>Opens the file from the cache as far as it is there and from the server for the rest.</summary>
    /// <exception cref="SourceException">The server does not answer, has another version than expected, or the folder cannot be made.</exception>
    public static Stream Open(HttpAddress address, HttpOptions options, RemoteVersion? expected, CancellationToken stop)
    {
        var folder = options.CacheFolder!;
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SourceException($"the cache folder {folder} cannot be made ({exception.Message.TrimEnd('.')}); name another, or none.", exception);
        }
        var entry = new HttpCacheEntry(folder, address);
        var kept = entry.Read();
        if (kept is { IsComplete: true } && expected?.Contradiction(kept.Version) is null)
            return new FileStream(entry.Bytes, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);

        var remote = new HttpReadStream(address, options, expected, stop);
        try
        {
            remote.Connect();
            var file = new FileStream(entry.Bytes, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            // Another reader may have been here since.
            kept = entry.Read();
            var isSame = kept is not null && kept.Version.IsVouchedFor(remote.Version) && kept.Version.Contradiction(remote.Version) is null;
            if (!isSame)
            {
                file.Dispose();
                entry.Forget();
                file = new FileStream(entry.Bytes, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            }
            return new CachedHttpStream(remote, entry, options, file, isSame ? kept!.Stored : 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            options.OnNotice?.Invoke($"{address.Name} is read without the cache ({exception.Message.TrimEnd('.')}).");
            return remote;
        }
        catch
        {
            remote.Dispose();
            throw;
        }
    }

    public override bool CanRead => true;
    public override bool CanSeek => _remote.CanSeek;
    public override bool CanWrite => false;
    public override long Length => _remote.Length;

    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Current => _position + offset,
        SeekOrigin.End => Length + offset,
        _ => offset,
    };

    public override int Read(byte[] buffer, int offset, int count)
    {
        int read;
        if (count == 0)
            return 0;
        if (_position < _stored)
        {
            read = RandomAccess.Read(_file.SafeFileHandle, buffer.AsSpan(offset, (int)Math.Min(count, _stored - _position)), _position);
            if (read == 0)
                throw new IOException($"the cache file {_entry.Bytes} was shortened while it was read");
        }
        else
        {
            _remote.Position = _position;
            read = _remote.Read(buffer, offset, count);
            if (read == 0)
                Complete();
            else if (_keeps && _position == _stored)
                Keep(buffer.AsSpan(offset, read));
        }
        _position += read;
        return read;
    }

    private void Keep(ReadOnlySpan<byte> bytes) => WhileTheDiskAllows(() => { }, bytes);

    private void Complete()
    {
        if (_keeps && _position == _stored && _remote.Version.Length == _stored)
            WhileTheDiskAllows(() => Flush(isComplete: true), []);
    }

    /// <summary>A disk that is full or fails costs the cache, and not the run.</summary>
    private void WhileTheDiskAllows(Action work, ReadOnlySpan<byte> bytes)
    {
        try
        {
            _file.Write(bytes);
            _stored += bytes.Length;
            if (_stored - _safe >= BytesBetweenFlushes)
                Flush(isComplete: false);
            work();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _keeps = false;
            _options.OnNotice?.Invoke($"the cache {_entry.Bytes} is no longer written ({exception.Message.TrimEnd('.')}).");
        }
    }

    private void Flush(bool isComplete)
    {
        _file.Flush(flushToDisk: true);
        _safe = _stored;
        _entry.Write(new HttpCacheEntry.Description(_remote.Version, _stored, isComplete));
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            if (_keeps && _safe < _stored)
                WhileTheDiskAllows(() => Flush(isComplete: false), []);
            _file.Dispose();
            _remote.Dispose();
        }
        base.Dispose(disposing);
    }

    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override void Flush() { }
}
