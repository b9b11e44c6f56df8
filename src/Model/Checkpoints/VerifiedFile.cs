using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;

namespace Streaming.Model.Checkpoints;

/// <summary>
/// A new file whose content is hashed, written, sent to the disk and read back all at once: a large one takes as long as the slowest of
/// these alone. Each has a thread of its own from the second piece on; a file of one piece needs none.
/// </summary>
internal sealed class VerifiedFile : Stream
{
    private const int PieceBytes = 4 << 20, Pieces = 6;

    private readonly string _path;
    private readonly FileStream _file;
    private readonly CancellationToken _givenUp;
    private readonly CancellationTokenSource _ended; // by whoever gave it up, or by the first thread that failed
    private readonly BlockingCollection<byte[]> _free = [];
    private readonly BlockingCollection<Piece> _toHash = [], _toWrite = [];
    private readonly SemaphoreSlim _moreToRead = new(0);
    private readonly List<Task> _threads = [];
    private ExceptionDispatchInfo? _failure; // of the thread that failed first
    private byte[]? _piece;
    private int _filled, _pieces;
    private long _written;
    private volatile bool _isWhole;
    private string _hash = "", _readHash = "";

    /// <param name="path">Must not exist.</param>
    /// <param name="givenUp">The file is not wanted any more.</param>
    public VerifiedFile(string path, CancellationToken givenUp)
    {
        (_path, _givenUp) = (path, givenUp);
        _file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
        _ended = CancellationTokenSource.CreateLinkedTokenSource(givenUp);
    }

    /// <summary>Part of the file in memory; both threads that read it have to be done before it is filled anew.</summary>
    private sealed class Piece(byte[] buffer, int length, Action<byte[]> free)
    {
        private int _readers = 2;

        public ReadOnlySpan<byte> Bytes => buffer.AsSpan(0, length);

        public void Done()
        {
            if (Interlocked.Decrement(ref _readers) == 0)
                free(buffer);
        }
    }

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <exception cref="IOException">The disk is full, say.</exception>
    /// <exception cref="OperationCanceledException">It was given up.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            _piece ??= NextPiece();
            var count = Math.Min(buffer.Length, PieceBytes - _filled);
            buffer[..count].CopyTo(_piece.AsSpan(_filled));
            buffer = buffer[count..];
            if ((_filled += count) == PieceBytes)
                HandOver();
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Ends the file: it is on the disk, and has been read back.</summary>
    /// <returns>Its length in bytes, and its SHA-256 in hexadecimal.</returns>
    /// <exception cref="CheckpointException">What was read is not what was written.</exception>
    /// <exception cref="IOException">The disk is full, say.</exception>
    /// <exception cref="OperationCanceledException">It was given up.</exception>
    public (long Bytes, string Hash) Complete()
    {
        if (_filled > 0)
            HandOver();
        _toHash.CompleteAdding();
        _toWrite.CompleteAdding();
        if (_threads.Count == 0)
        {
            HashPieces();
            WritePieces();
            ReadBack();
        }
        Join();
        return _readHash == _hash ? (_written, _hash) : throw Checksums.Differs(_path);
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ended.Cancel();
            Task.WaitAll(_threads, CancellationToken.None);
            if (_piece is not null)
                ArrayPool<byte>.Shared.Return(_piece);
            while (_free.TryTake(out var buffer))
                ArrayPool<byte>.Shared.Return(buffer);
            _file.Dispose();
            _ended.Dispose();
            _moreToRead.Dispose();
            foreach (IDisposable queue in new IDisposable[] { _free, _toHash, _toWrite })
                queue.Dispose();
        }
        base.Dispose(disposing);
    }

    private byte[] NextPiece()
    {
        if (_pieces < Pieces)
        {
            _pieces++;
            return ArrayPool<byte>.Shared.Rent(PieceBytes);
        }
        try
        {
            return _free.Take(_ended.Token);
        }
        catch (OperationCanceledException)
        {
            Join();
            throw;
        }
    }

    private void HandOver()
    {
        var piece = new Piece(_piece!, _filled, _free.Add);
        (_piece, _filled) = (null, 0);
        _toHash.Add(piece, CancellationToken.None);
        _toWrite.Add(piece, CancellationToken.None);
        if (_pieces == 2 && _threads.Count == 0)
            _threads.AddRange([Start(HashPieces), Start(WritePieces), Start(ReadBack)]);
    }

    private Task Start(Action work) => Task.Factory.StartNew(
        () =>
        {
            try
            {
                work();
            }
            catch (Exception failure)
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(failure), null);
                _ended.Cancel();
            }
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Waits for the threads; throws what ended the first of them, not that it ended the others.</summary>
    private void Join()
    {
        Task.WaitAll(_threads, CancellationToken.None);
        _givenUp.ThrowIfCancellationRequested();
        _failure?.Throw();
    }

    private void HashPieces()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var piece in _toHash.GetConsumingEnumerable(_ended.Token))
        {
            hash.AppendData(piece.Bytes);
            piece.Done();
        }
        _hash = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void WritePieces()
    {
        foreach (var piece in _toWrite.GetConsumingEnumerable(_ended.Token))
        {
            var begin = _written;
            _file.Write(piece.Bytes);
            Volatile.Write(ref _written, begin + piece.Bytes.Length);
            DurableFiles.BeginWriteback(_file.SafeFileHandle, begin, piece.Bytes.Length);
            piece.Done();
            _moreToRead.Release();
        }
        _isWhole = true;
        _moreToRead.Release();
        DurableFiles.Writeback(_file, _written, _ended.Token); // a sync of everything at once cannot be given up
        _file.Flush(flushToDisk: true);
    }

    /// <summary>Follows the writer, and reads to the end of the file once that is there: what is too long is not what was written either.</summary>
    private void ReadBack()
    {
        using var file = File.OpenHandle(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, FileOptions.SequentialScan);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        for (long position = 0; ;)
        {
            _ended.Token.ThrowIfCancellationRequested();
            var isWhole = _isWhole;
            var limit = isWhole ? buffer.Length : (int)Math.Min(buffer.Length, Volatile.Read(ref _written) - position);
            var count = limit == 0 ? 0 : RandomAccess.Read(file, buffer.AsSpan(0, limit), position);
            hash.AppendData(buffer, 0, count);
            position += count;
            if (count == 0 && isWhole)
                break;
            if (count == 0)
                _moreToRead.Wait(_ended.Token);
        }
        ArrayPool<byte>.Shared.Return(buffer);
        _readHash = Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
