using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Streaming.Streams.Tests.Sources.Http;

/// <summary>How the server answers one request. Everything else is as it should be.</summary>
internal sealed record Answer
{
    public int Status { get; init; } = 200;
    public string? Headers { get; init; }

    /// <summary>Another state of the file.</summary>
    public byte[]? Content { get; init; }

    public string? Tag { get; init; } = "\"first\"";
    public bool IgnoresRange { get; init; }

    /// <summary>Sends this long a part at most.</summary>
    public int LongestRange { get; init; } = int.MaxValue;

    /// <summary>Added to the Content-Length.</summary>
    public int LengthLie { get; init; }

    /// <summary>Added to where the range begins, in the headers and in the body.</summary>
    public int RangeShift { get; init; }

    /// <summary>Added to where the body begins; the headers say what was asked for.</summary>
    public int BodyShift { get; init; }

    /// <summary>Closes the connection after as many bytes of the body.</summary>
    public int DropAfter { get; init; } = int.MaxValue;

    /// <summary>Sends nothing more after as many bytes of the body.</summary>
    public int StallAfter { get; init; } = int.MaxValue;

    public bool Chunked { get; init; }
    public bool OmitsLength { get; init; }
    public bool OmitsContentRange { get; init; }
}

internal sealed record Request(string Line, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>First byte asked for; null where all of it is.</summary>
    public int? RangeStart => Headers.TryGetValue("range", out var range) ? int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture) : null;
}

/// <summary>A web server with one file, whose answers go wrong as a test says.</summary>
internal sealed class HostileServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly byte[] _content;
    private readonly Func<int, Request, Answer> _answer;
    private readonly List<Request> _requests = [];

    /// <param name="content">The file.</param>
    /// <param name="answer">What to do with the request of that number, from 0 on.</param>
    public HostileServer(byte[] content, Func<int, Request, Answer> answer)
    {
        (_content, _answer) = (content, answer);
        _listener.Start();
        Address = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/data/corpus.txt";
        _ = Accept();
    }

    /// <summary>The file's URL.</summary>
    public string Address { get; }

    public IReadOnlyList<Request> Requests
    {
        get
        {
            lock (_requests)
                return [.. _requests];
        }
    }

    private async Task Accept()
    {
        while (!_stop.IsCancellationRequested)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            _ = Serve(client);
        }
    }

    private async Task Serve(TcpClient client)
    {
        using var _ = client;
        var stream = client.GetStream();
        using var reader = new StreamReader(stream, Encoding.Latin1, leaveOpen: true);
        if (await reader.ReadLineAsync(_stop.Token) is not { } line)
            return;
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync(_stop.Token) is { Length: > 0 } header)
            headers[header[..header.IndexOf(':')]] = header[(header.IndexOf(':') + 1)..].Trim();
        var request = new Request(line, headers);
        Answer answer;
        lock (_requests)
        {
            answer = _answer(_requests.Count, request);
            _requests.Add(request);
        }
        await Send(stream, request, answer);
    }

    private async Task Send(NetworkStream stream, Request request, Answer answer)
    {
        var content = answer.Content ?? _content;
        var condition = request.Headers.GetValueOrDefault("if-range");
        var start = answer.IgnoresRange || (condition is not null && condition != answer.Tag) ? null : request.RangeStart;
        var status = answer.Status != 200 ? answer.Status : start is null ? 200 : start < content.Length ? 206 : 416;
        var first = status == 206 ? Math.Clamp(start!.Value + answer.RangeShift, 0, Math.Max(0, content.Length - 1)) : 0;
        var end = Math.Min(content.Length, status == 206 ? first + (long)answer.LongestRange : content.Length);
        var bodyStart = Math.Clamp(first + answer.BodyShift, 0, Math.Max(0, content.Length - 1));
        var body = status is 200 or 206 ? content.AsMemory()[first..(int)end] : default;
        if (answer.BodyShift != 0)
            body = content.AsMemory().Slice(bodyStart, Math.Min(body.Length, content.Length - bodyStart));
        var head = new StringBuilder($"HTTP/1.1 {status} Answer\r\nConnection: close\r\n{answer.Headers}");
        if (answer.Tag is not null && status < 300)
            head.Append($"ETag: {answer.Tag}\r\n");
        if (status == 206 && !answer.OmitsContentRange)
            head.Append($"Content-Range: bytes {first}-{end - 1}/{content.Length}\r\n");
        if (status == 416)
            head.Append($"Content-Range: bytes */{content.Length}\r\n");
        if (answer.Chunked)
            head.Append("Transfer-Encoding: chunked\r\n");
        else if (!answer.OmitsLength)
            head.Append($"Content-Length: {body.Length + answer.LengthLie}\r\n");
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head.Append("\r\n").ToString()), _stop.Token);
        var sent = Math.Min(body.Length, Math.Min(answer.DropAfter, answer.StallAfter));
        if (answer.Chunked)
            await stream.WriteAsync(Encoding.Latin1.GetBytes($"{body.Length:x}\r\n"), _stop.Token);
        await stream.WriteAsync(body[..sent], _stop.Token);
        if (answer.StallAfter < body.Length)
            await Task.Delay(Timeout.Infinite, _stop.Token);
        if (answer.Chunked && sent == body.Length)
            await stream.WriteAsync("\r\n0\r\n\r\n"u8.ToArray(), _stop.Token);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
    }
}
