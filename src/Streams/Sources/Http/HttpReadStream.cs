namespace Streaming.Streams.Sources.Http;

/// <summary>
/// A file on a web server as one sequence of bytes: dropped and stalled connections, overload and restarts of the server
/// are waited out, and reading goes on by a range where it stood, or, where the server has none, from the start with what
/// is known thrown away. Every byte is handed out once, and all of them are of one version of the file.
/// </summary>
/// <remarks>Nothing is asked for before <see cref="Connect"/> or the first read. Not thread-safe.</remarks>
internal sealed class HttpReadStream : Stream
{
    /// <summary>A connection that brought as many new bytes has shown that it can also repeat a few for comparison.</summary>
    private const int WorthComparing = 1 << 16;

    private readonly HttpAddress _address;
    private readonly HttpOptions _options;
    private readonly HttpRetries _retries;
    private readonly CancellationToken _stop;
    private CancellationTokenSource _timeout = new();
    private HttpResponseBody? _body;
    private HandedOutBytes _handedOut = new(0);
    private long _position;
    private long _connectedAt;
    private bool _repeatsARange;
    private bool _endIsSure;
    private bool _refusesRanges;
    private bool _confirmsEnd;

    /// <param name="expected">The version to read; null takes the one that is there.</param>
    /// <param name="stop">Ends waiting and reading with an <see cref="OperationCanceledException"/>.</param>
    public HttpReadStream(HttpAddress address, HttpOptions options, RemoteVersion? expected, CancellationToken stop)
    {
        (_address, _options, _stop) = (address, options, stop);
        _retries = new HttpRetries(address, options, stop);
        Version = expected ?? new RemoteVersion(null, null, null);
    }

    /// <summary>What is known of the file.</summary>
    public RemoteVersion Version { get; private set; }

    public override bool CanRead => true;
    public override bool CanWrite => false;

    /// <summary>Whether any place is reached without reading what lies before it. Known once the server has answered.</summary>
    public override bool CanSeek => _repeatsARange && Version.Length is not null;

    public override long Length => Version.Length ?? throw new NotSupportedException();

    /// <summary>The place of the next byte. May be set on any server: without ranges, what lies before is read and thrown away.</summary>
    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            if (value == _position)
                return;
            Disconnect();
            _position = _connectedAt = value;
            _handedOut = new HandedOutBytes(value);
            _endIsSure = _confirmsEnd = false;
        }
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Current => _position + offset,
        SeekOrigin.End => Length + offset,
        _ => offset,
    };

    /// <summary>Waits until the server has answered, so that what it says of the file is known.</summary>
    /// <exception cref="SourceException">The file cannot be read.</exception>
    public void Connect()
    {
        while (_body is null && !_endIsSure)
            Try(Open);
    }

    /// <exception cref="SourceException">The file cannot be read any further.</exception>
    public override int Read(byte[] buffer, int offset, int count)
    {
        var read = 0;
        while (count > 0 && read == 0 && !_endIsSure)
        {
            Connect();
            if (!_endIsSure)
                Try(() => read = ReadSome(buffer.AsMemory(offset, count)));
        }
        return read;
    }

    private int ReadSome(Memory<byte> buffer)
    {
        var body = _body!;
        if (body.End - _position is { } left && left < buffer.Length)
            buffer = buffer[..(int)left];
        var read = buffer.Length == 0 ? 0 : ReadBody(buffer);
        if (read > 0)
        {
            _handedOut.Append(buffer.Span[..read]);
            _position += read;
            _retries.Succeed();
            return read;
        }
        if (_position < body.End)
            throw new HttpInterruption($"the connection ended after {_position} of {body.End} bytes");
        Disconnect();
        if (body.IsRange)
            _endIsSure = _position == Version.Length;
        else if (body.MarksItsEnd)
            (Version, _endIsSure) = (Version with { Length = _position }, true);
        else
            ConfirmEnd(lengthIsKnown: _position == Version.Length);
        return 0;
    }

    /// <summary>
    /// Asks for more where an answer ended that did not say how long it is, or whose length no range has confirmed. Where
    /// a length was said and reached, a server that does not answer is no reason to doubt it.
    /// </summary>
    private void ConfirmEnd(bool lengthIsKnown)
    {
        _confirmsEnd = true;
        if (!lengthIsKnown)
            return;
        try
        {
            Open();
        }
        catch (Exception exception) when (exception is HttpInterruption or HttpRequestException or IOException)
        {
            _endIsSure = true;
        }
    }

    /// <summary>Asks for the file from the place on, and leaves its answer there; or finds that the file ends there.</summary>
    private void Open()
    {
        var overlap = _repeatsARange && _retries.Failures <= 1 && _position - _connectedAt >= WorthComparing ? HandedOutBytes.TailLength : 0;
        var start = _position - overlap;
        var body = Wait(HttpResponseBody.Ask(_address, _refusesRanges ? null : start, Version.Condition, StartTimeout()));
        var keep = false;
        try
        {
            _retries.ServerIsThere = true;
            if (body.IsPastEnd)
            {
                EndAt(body);
                return;
            }
            TakeVersion(body.Version);
            _repeatsARange |= body.IsRange;
            _endIsSure = !body.IsRange && (body.End == _position || (_confirmsEnd && body.End is null));
            if (_endIsSure)
                return;
            if (body.Start > _position)
                throw new HttpInterruption($"the server sent the bytes from {body.Start} on where those from {start} on were asked for") { RangesAreWrong = true };
            Skip(body);
            (_body, _connectedAt, _confirmsEnd, keep) = (body, _position, false, true);
        }
        finally
        {
            if (!keep)
                body.Dispose();
        }
    }

    /// <summary>Reads again what was handed out before, and compares.</summary>
    private void Skip(HttpResponseBody body)
    {
        if (body.Start == _position)
            return;
        var again = new HandedOutBytes(body.Start);
        var scratch = new byte[1 << 16];
        _body = body;
        try
        {
            for (var left = _position - body.Start; left > 0;)
            {
                var read = ReadBody(scratch.AsMemory(0, (int)Math.Min(left, scratch.Length)));
                if (read == 0)
                    throw new HttpInterruption($"the connection ended after {_position - left} of {body.End?.ToString() ?? "unknown"} bytes, {_position} had been read before");
                again.Append(scratch.AsSpan(0, read));
                left -= read;
            }
        }
        finally
        {
            _body = null;
        }
        if (!again.Agrees(_handedOut))
            throw Changed("bytes that were sent a second time are others");
    }

    /// <summary>The server has no byte at or behind the place.</summary>
    private void EndAt(HttpResponseBody body)
    {
        if (Version.Contradiction(body.Version with { Length = null }) is { } contradiction)
            throw Changed(contradiction);
        if (body.Version.Length == _position)
        {
            Version = Version with { Length = _position };
            _endIsSure = true;
            return;
        }
        if (body.Version.Length < _position)
            throw Changed($"{_position} bytes had been read and it has {body.Version.Length}");
        // Some cannot be asked for a part of an empty file, or do not say how long the file is.
        throw new HttpInterruption($"the server has no range from byte {_position} on") { RangesAreWrong = true };
    }

    private void TakeVersion(RemoteVersion now)
    {
        // A file that ends where reading stands has been read to its end, whatever length was said before.
        var known = now.Length == _position && _position > 0 ? Version with { Length = null } : Version;
        if (known.Contradiction(now) is { } contradiction)
            throw Changed(contradiction);
        if (now.Length < _position)
            throw Changed($"{_position} bytes had been read and it has {now.Length}");
        Version = new RemoteVersion(now.Tag ?? Version.Tag, now.Modified ?? Version.Modified, now.Length ?? Version.Length);
    }

    private SourceException Changed(string how) => new(
        $"{_address.Name} was changed on the server while it was read: {how}; start again once it stays the same, or restore the file.");

    private int ReadBody(Memory<byte> buffer)
    {
        var pending = _body!.Read(buffer, StartTimeout());
        var read = pending.IsCompletedSuccessfully ? pending.Result : Wait(pending.AsTask());
        _timeout.CancelAfter(Timeout.InfiniteTimeSpan);
        return read;
    }

    private T Wait<T>(Task<T> task)
    {
        try
        {
            return task.WaitAsync(_stop).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            throw new HttpInterruption($"nothing came for {_options.ReadTimeout.TotalSeconds:0.##} s");
        }
    }

    private CancellationToken StartTimeout()
    {
        if (!_timeout.TryReset())
        {
            _timeout.Dispose();
            _timeout = new CancellationTokenSource();
        }
        _timeout.CancelAfter(_options.ReadTimeout);
        return _timeout.Token;
    }

    /// <summary>Does it, or waits until it may be done once more.</summary>
    private void Try(Action action)
    {
        _stop.ThrowIfCancellationRequested();
        try
        {
            action();
        }
        catch (Exception exception) when (exception is HttpInterruption or HttpRequestException or IOException)
        {
            Disconnect();
            _refusesRanges |= exception is HttpInterruption { RangesAreWrong: true };
            _retries.Wait(exception, _position);
        }
    }

    private void Disconnect()
    {
        _body?.Dispose();
        _body = null;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Disconnect();
            _timeout.Dispose();
        }
        base.Dispose(disposing);
    }

    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override void Flush() { }
}
