using System.Buffers;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Streaming.Hosting.Live;

/// <summary>
/// Server-sent events: twice a second the status and the steps since the last time, and every event of the run at once. A frame
/// is made once for all clients, and none while there is no client. A client that does not read loses frames, not the server
/// memory: each has room for a few, the oldest go.
/// </summary>
internal sealed class LiveStream : IDisposable
{
    public const int MaxClients = 64;
    private const int FramesAhead = 16;
    private const int MostPoints = 512; // a client that lacks more reads the history again
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private readonly HashSet<Channel<byte[]>> _clients = [];
    private readonly RunStatus _status;
    private readonly RunHistory _history;
    private readonly Timer _timer;
    private readonly EventLog _events;
    private readonly CancellationTokenSource _closing = new();
    private long _sent;
    private int _sending;

    public LiveStream(RunStatus status, RunHistory history, EventLog events)
    {
        (_status, _history, _events) = (status, history, events);
        _timer = new Timer(_ => SendFrame());
        events.Added += OnEvent;
    }

    /// <summary>Clients that listen now.</summary>
    public int Clients
    {
        get
        {
            lock (_lock)
                return _clients.Count;
        }
    }

    public async Task ServeAsync(HttpContext context)
    {
        var frames = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(FramesAhead) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        if (!TryJoin(frames))
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            context.Response.Headers.RetryAfter = "10";
            await context.Response.WriteAsync($"{MaxClients} pages look already\n").ConfigureAwait(false);
            return;
        }
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _closing.Token);
        try
        {
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            context.Response.Headers.ContentType = "text/event-stream; charset=utf-8";
            context.Response.Headers.CacheControl = "no-store";
            context.Response.Headers["X-Accel-Buffering"] = "no";
            var body = context.Response.Body;
            await body.WriteAsync("retry: 2000\n\n"u8.ToArray(), ended.Token).ConfigureAwait(false);
            await body.WriteAsync(Frame(_status.Step, out _), ended.Token).ConfigureAwait(false);
            await body.FlushAsync(ended.Token).ConfigureAwait(false);
            await foreach (var frame in frames.Reader.ReadAllAsync(ended.Token).ConfigureAwait(false))
            {
                await body.WriteAsync(frame, ended.Token).ConfigureAwait(false);
                await body.FlushAsync(ended.Token).ConfigureAwait(false);
            }
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            // The client went, or the process ends.
        }
        finally
        {
            Leave(frames);
        }
    }

    /// <summary>Ends all streams, so that the server can stop.</summary>
    public void Close() => _closing.Cancel();

    public void Dispose()
    {
        _events.Added -= OnEvent;
        _closing.Cancel();
        _timer.Dispose();
    }

    private bool TryJoin(Channel<byte[]> frames)
    {
        lock (_lock)
        {
            if (_clients.Count == MaxClients)
                return false;
            if (_clients.Count == 0)
            {
                _sent = _status.Step;
                _timer.Change(_interval, _interval);
            }
            return _clients.Add(frames);
        }
    }

    private void Leave(Channel<byte[]> frames)
    {
        lock (_lock)
        {
            _clients.Remove(frames);
            if (_clients.Count == 0)
                _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private void SendFrame()
    {
        if (Interlocked.Exchange(ref _sending, 1) == 1)
            return; // the machine is too busy for two a second
        try
        {
            Send(Frame(_sent, out _sent));
        }
        catch (Exception failure) when (failure is InvalidOperationException or ArgumentException or IOException)
        {
            // A frame that cannot be made is left out: an exception on a timer's thread would end the training.
        }
        finally
        {
            Volatile.Write(ref _sending, 0);
        }
    }

    /// <param name="after">Steps beyond it are told.</param>
    /// <param name="last">The last step told.</param>
    private byte[] Frame(long after, out long last)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        buffer.Write("event: frame\ndata: "u8);
        using (var json = new Utf8JsonWriter(buffer, EventLog.Format))
        {
            json.WriteStartObject();
            json.WritePropertyName("status");
            _status.Write(json);
            json.WriteNumber("after", after);
            var points = _history.After(after, MostPoints);
            json.WriteStartArray("steps");
            foreach (var point in points ?? [])
            {
                json.WriteStartArray();
                json.WriteNumberValue(point.Step);
                foreach (var value in (ReadOnlySpan<float>)[point.Loss, point.GradientNorm, point.LearningRate, point.TokensPerSecond, point.WaitRatio])
                {
                    if (float.IsFinite(value))
                        json.WriteNumberValue(value);
                    else
                        json.WriteNullValue();
                }
                json.WriteEndArray();
            }
            json.WriteEndArray();
            if (points is null)
                json.WriteBoolean("gap", true);
            json.WriteEndObject();
            // After a rollback the steps begin again from an earlier one.
            last = points is null ? _status.Step : points is [.., var newest] ? newest.Step : Math.Min(after, _status.Step);
        }
        buffer.Write("\n\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private void OnEvent(byte[] line)
    {
        if (Clients > 0)
            Send([.. "event: happened\ndata: "u8, .. line, .. "\n\n"u8]);
    }

    private void Send(byte[] frame)
    {
        lock (_lock)
        {
            foreach (var client in _clients)
                client.Writer.TryWrite(frame);
        }
    }
}
