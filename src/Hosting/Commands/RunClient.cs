using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Control;

namespace Streaming.Hosting.Commands;

/// <summary>A running daemon, as the commands that steer it see it.</summary>
internal sealed class RunClient : IDisposable
{
    private const string UrlVariable = "STREAMING_URL";
    private const string TokenVariable = "STREAMING_TOKEN";
    private const string DefaultUrl = "http://127.0.0.1:9464";

    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }; // a refusal quotes what it was sent

    private readonly HttpClient _http;

    private RunClient(Uri url, string? token)
    {
        // A daemon of this machine is not asked for by way of a proxy that the environment names: it would be a stranger to it.
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = !url.IsLoopback }) { BaseAddress = url, Timeout = TimeSpan.FromMinutes(3) };
        _http.DefaultRequestHeaders.Add(ControlAccess.UserHeader, $"{Environment.UserName}@{Environment.MachineName}");
        if (token is { Length: > 0 })
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>The options of every such command.</summary>
    public sealed class Options
    {
        private readonly Option<string?> _url = new("--url", "-u") { Description = $"Address of the daemon; without it {UrlVariable}, or {DefaultUrl}.", HelpName = "URL" };
        private readonly Option<string?> _token = new("--token-file") { Description = $"File with the token, for a daemon on another machine; without it {TokenVariable} holds the token.", HelpName = "file" };

        public void AddTo(Command command)
        {
            command.Add(_url);
            command.Add(_token);
        }

        /// <exception cref="UserErrorException">No URL, or a token that cannot be read.</exception>
        public RunClient Open(ParseResult parsed)
        {
            var url = parsed.GetValue(_url) ?? (Environment.GetEnvironmentVariable(UrlVariable) is { Length: > 0 } named ? named : DefaultUrl);
            if (!url.Contains("://", StringComparison.Ordinal))
                url = "http://" + url;
            if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
                throw new UserErrorException($"--url must be an address like {DefaultUrl}, was {url}.");
            return new RunClient(uri, ReadToken(parsed.GetValue(_token)));
        }

        private static string? ReadToken(string? file)
        {
            try
            {
                var token = (file is null ? Environment.GetEnvironmentVariable(TokenVariable) : File.ReadAllText(file))?.Trim();
                return token is null || ControlToken.IsWord(token)
                    ? token
                    : throw new UserErrorException($"{(file is null ? TokenVariable : $"--token-file {file}")} holds no token, which is one word of letters, digits and signs; give the daemon's own, control.token in the run's folder.");
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                throw new UserErrorException($"--token-file {file} cannot be read: {failure.Message.TrimEnd('.')}.");
            }
        }
    }

    public Task<JsonDocument> StatusAsync(CancellationToken cancellation) => SendAsync(new HttpRequestMessage(HttpMethod.Get, "/api/status"), cancellation);

    /// <param name="command">The last part of its path.</param>
    /// <param name="body">Its fields.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="UserErrorException">The daemon does not answer, or refuses.</exception>
    public Task<JsonDocument> CommandAsync(string command, IReadOnlyDictionary<string, object?> body, CancellationToken cancellation) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post, $"/api/{command}") { Content = JsonContent.Create(body, options: _json) }, cancellation);

    public void Dispose() => _http.Dispose();

    private async Task<JsonDocument> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            using var response = await _http.SendAsync(request, cancellation).ConfigureAwait(false);
            var text = await response.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
            var json = Parse(text) ?? throw new UserErrorException($"{_http.BaseAddress} is no streaming daemon: it answers {(int)response.StatusCode} without JSON.", ExitCodes.Failed);
            if (response.IsSuccessStatusCode)
                return json;
            var detail = json.RootElement.TryGetProperty("detail", out var said) ? said.GetString() : response.ReasonPhrase;
            throw new UserErrorException($"refused: {detail?.TrimEnd('.')}.", response.StatusCode is HttpStatusCode.UnprocessableEntity or HttpStatusCode.BadRequest ? ExitCodes.WrongUsage : ExitCodes.Failed);
        }
        catch (HttpRequestException failure)
        {
            var why = failure.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused } ? "no daemon listens there" : failure.Message.TrimEnd('.');
            throw new UserErrorException($"{_http.BaseAddress} cannot be reached: {why}; --url or {UrlVariable} names another address.", ExitCodes.Failed);
        }
        catch (TaskCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new UserErrorException($"{_http.BaseAddress} has not answered for {_http.Timeout.TotalMinutes} minutes.", ExitCodes.Failed);
        }
    }

    private static JsonDocument? Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text) is { RootElement.ValueKind: JsonValueKind.Object } json ? json : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
