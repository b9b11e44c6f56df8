using System.Net;
using System.Net.Http.Headers;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Streaming.Hosting.Tests.Control;

/// <summary>Against a real run: what changes it, who may, and what is refused.</summary>
public sealed class ControlEndpointsSpec(RealRun run) : IClassFixture<RealRun>
{
    [Fact]
    public async Task A_pause_holds_the_steps_and_a_second_one_finds_the_run_busy()
    {
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("pause")).Status);
        await run.SeeAsync(status => status.Contains("\"state\":\"paused\"", StringComparison.Ordinal));
        var (status, body) = await PostAsync("pause");
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Equal("the run is paused already", body.GetProperty("detail").GetString());
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("resume")).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync("resume")).Status);
    }

    [Fact]
    public async Task Every_accepted_command_is_in_the_event_log_with_who_and_what_and_when()
    {
        var before = DateTime.UtcNow.AddSeconds(-1);
        var request = Request("evaluate", null);
        request.Headers.Add("X-Streaming-User", "yuki@console");
        Assert.Equal(HttpStatusCode.OK, (await run.Client.SendAsync(request, Cancellation)).StatusCode);
        await run.SeeAsync(status => status.Contains("\"evaluation\":", StringComparison.Ordinal));
        var lines = await File.ReadAllLinesAsync(Path.Combine(run.Folder, "events.jsonl"), Cancellation);
        var command = lines.Select(line => JsonDocument.Parse(line).RootElement)
            .Last(line => line.GetProperty("kind").GetString() == "command" && line.GetProperty("what").GetString() == "evaluate");
        Assert.Equal("yuki@console, 127.0.0.1, this machine", command.GetProperty("by").GetString());
        Assert.True(command.GetProperty("time").GetDateTime().ToUniversalTime() >= before);
    }

    [Theory]
    [InlineData("set", """{"learning_rate": 1e-4, "colour": 3}""", 400, "colour", "unknown field colour; known are learning_rate, max_steps, eval_steps, save_steps, log_level")]
    [InlineData("set", """{"learning_rate": 11}""", 422, "learning_rate", "learning_rate must be a number above 0, at most 10, was 11")]
    [InlineData("set", """{"learning_rate": 0}""", 422, "learning_rate", "learning_rate must be a number above 0, at most 10, was 0")]
    [InlineData("set", """{"learning_rate": "fast"}""", 422, "learning_rate", "learning_rate must be a number above 0, at most 10, was \"fast\"")]
    [InlineData("set", """{"learning_rate": 1e999}""", 422, "learning_rate", "learning_rate must be a number above 0, at most 10, was 1e999")]
    [InlineData("set", """{"eval_steps": 1.5}""", 422, "eval_steps", "eval_steps must be an integer, 0 or more, was 1.5")]
    [InlineData("set", """{"log_level": "loud"}""", 422, "log_level", "log_level must be debug, information, warning or error, was \"loud\"")]
    [InlineData("set", """{"max_steps": 0}""", 422, "max_steps", "max_steps must be an integer, 1 or more, was 0")]
    [InlineData("set", "{}", 400, null, "nothing to set: give one or more of learning_rate, max_steps, eval_steps, save_steps, log_level")]
    [InlineData("set", """{"save_steps": 5, "save_steps": 6}""", 400, "save_steps", "field save_steps is given twice")]
    [InlineData("set?learning_rate=1", "{}", 400, "learning_rate", "a command has no query: its fields are the body's")]
    [InlineData("nothing", "{}", 404, null, "there is no such path; /openapi.json lists them")]
    [InlineData("set", "[1]", 400, null, "the body must be a JSON object")]
    [InlineData("set", "{\"learning_rate\":", 400, null, "the body is no JSON: line 1, byte 18")]
    [InlineData("pause", """{"now": true}""", 400, "now", "unknown field now; this command has no fields")]
    [InlineData("sample", """{"max_new_tokens": 5000}""", 422, "max_new_tokens", "max_new_tokens must be an integer from 1 to 1024, was 5000")]
    [InlineData("sample", """{"prompt": ""}""", 422, "prompt", "prompt must be text of 1 to 8192 characters, was \"\"")]
    [InlineData("sample", """{"prompt": "\ud800"}""", 400, null, "the body holds half a surrogate pair, which is no text")]
    [InlineData("pause", """{"\ud800": 1}""", 400, null, "the body holds half a surrogate pair, which is no text")]
    [InlineData("sample", """{"temperature": -1}""", 422, "temperature", "temperature must be a number from 0 to 10, was -1")]
    public async Task What_is_wrong_is_refused_by_its_name_and_changes_nothing(string command, string json, int status, string? field, string detail)
    {
        var (answer, body) = await PostAsync(command, json);
        Assert.Equal(status, (int)answer);
        Assert.Equal(detail, body.GetProperty("detail").GetString());
        Assert.Equal(field, body.TryGetProperty("field", out var named) ? named.GetString() : null);
    }

    [Fact]
    public async Task A_setting_is_in_force_from_the_next_step_on()
    {
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("set", """{"learning_rate": 0.000321, "save_steps": 1000000}""")).Status);
        await run.SeeAsync(status => JsonDocument.Parse(status).RootElement is var all
            && all.GetProperty("settings").GetProperty("learning_rate").GetDouble() == 0.000321 && all.GetProperty("learning_rate").GetDouble() < 0.00033);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("set", """{"learning_rate": null}""")).Status);
        await run.SeeAsync(status => JsonDocument.Parse(status).RootElement.GetProperty("settings").GetProperty("learning_rate").GetDouble() == 1e-3);
    }

    [Fact]
    public async Task A_sample_comes_back_as_text()
    {
        var (status, body) = await PostAsync("sample", """{"prompt": "むかしむかし", "max_new_tokens": 4}""");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.StartsWith("むかしむかし", body.GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_token_is_refused_even_on_this_machine_and_the_runs_own_is_good_from_everywhere()
    {
        var token = (await File.ReadAllTextAsync(Path.Combine(run.Folder, "control.token"), Cancellation)).Trim();
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(run.Folder, "control.token")));
        foreach (var wrong in (string[])["wrong", token[..^1], token + "0", ""])
            Assert.Equal(wrong.Length == 0 ? HttpStatusCode.OK : HttpStatusCode.Unauthorized, (await SendAsync("evaluate", wrong)).StatusCode is var code && code == HttpStatusCode.Conflict ? HttpStatusCode.OK : code);

        // As another machine sees it: by this machine's own address, or through a proxy.
        var remote = Request("set", """{"save_steps": 1000000}""");
        remote.Headers.Add("X-Forwarded-For", "192.0.2.7");
        var refused = await run.Client.SendAsync(remote, Cancellation);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal("Bearer realm=\"streaming\"", refused.Headers.WwwAuthenticate.ToString());
        foreach (var (header, value, status) in new[] { ("X-Real-IP", "192.0.2.7", HttpStatusCode.Unauthorized), ("X-Forwarded-Host", "example.org", HttpStatusCode.Unauthorized), ("Sec-Fetch-Site", "cross-site", HttpStatusCode.Forbidden) })
        {
            var other = Request("set", """{"save_steps": 1000000}""");
            other.Headers.Add(header, value);
            Assert.Equal(status, (await run.Client.SendAsync(other, Cancellation)).StatusCode);
        }
        if (OwnAddress() is { } address)
        {
            using var client = new HttpClient { BaseAddress = new UriBuilder(run.Client.BaseAddress!) { Host = address }.Uri };
            Assert.Equal(HttpStatusCode.Unauthorized, (await client.SendAsync(Request("set", """{"save_steps": 1000000}"""), Cancellation)).StatusCode);
            var allowed = Request("set", """{"save_steps": 1000000}""");
            allowed.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            Assert.Equal(HttpStatusCode.OK, (await client.SendAsync(allowed, Cancellation)).StatusCode);
        }
    }

    [Theory]
    [InlineData("Origin", "http://evil.example", 403)]
    [InlineData("Host", "evil.example:9464", 401)] // a name that was made to point to this machine
    public async Task A_page_of_somebody_else_changes_nothing(string header, string value, int status)
    {
        var request = Request("pause", null);
        if (header == "Host")
            request.Headers.Host = value;
        else
            request.Headers.Add(header, value);
        Assert.Equal(status, (int)(await run.Client.SendAsync(request, Cancellation)).StatusCode);
    }

    [Fact]
    public async Task A_body_that_is_too_large_or_no_JSON_by_its_type_is_refused()
    {
        using var request = Request("set", "{\"a\":\"" + new string('x', 2 << 20) + "\"}");
        request.Headers.ExpectContinue = true; // the answer comes before the body, which a client that sends it anyway may not get rid of
        var large = await run.Client.SendAsync(request, Cancellation);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
        var form = await run.Client.PostAsync("/api/set", new StringContent("learning_rate=1", Encoding.UTF8, "application/x-www-form-urlencoded"), Cancellation);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, form.StatusCode);
    }

    [Theory]
    [InlineData("/api/history?points=0", 422, "points")]
    [InlineData("/api/history?from=1&til=9", 400, "til")]
    [InlineData("/api/events?last=many", 422, "last")]
    public async Task A_query_that_is_wrong_is_refused_by_its_name(string path, int status, string field)
    {
        using var answer = await run.Client.GetAsync(path, Cancellation);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(field, JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancellation)).RootElement.GetProperty("field").GetString());
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/api/status")]
    [InlineData("/health/ready")]
    public async Task What_can_be_read_can_be_asked_for_without_its_body(string path)
    {
        using var answer = await run.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, path), Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync(Cancellation));
    }

    [Fact]
    public async Task The_OpenAPI_document_has_every_route_that_is_served()
    {
        var document = JsonDocument.Parse(await run.Client.GetStringAsync("/openapi.json", Cancellation)).RootElement;
        Assert.StartsWith("3.1", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        foreach (var path in document.GetProperty("paths").EnumerateObject())
        {
            foreach (var method in path.Value.EnumerateObject())
            {
                if (path.Name is "/api/stream" or "/api/stop")
                    continue;
                using var request = new HttpRequestMessage(new HttpMethod(method.Name.ToUpperInvariant()), path.Name);
                request.Headers.Add("Origin", "http://nobody.example"); // commands are refused by it, so nothing happens
                using var answer = await run.Client.SendAsync(request, Cancellation);
                Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Forbidden, $"{method.Name} {path.Name}: {answer.StatusCode}");
            }
        }
        foreach (var command in (string[])["pause", "resume", "checkpoint", "evaluate", "sample", "set", "stop"])
            Assert.True(document.GetProperty("paths").TryGetProperty($"/api/{command}", out _), command);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string command, string? json = null)
    {
        using var answer = await run.Client.SendAsync(Request(command, json), Cancellation);
        return (answer.StatusCode, JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancellation)).RootElement);
    }

    private Task<HttpResponseMessage> SendAsync(string command, string token)
    {
        var request = Request(command, null);
        if (token.Length > 0)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return run.Client.SendAsync(request, Cancellation);
    }

    private static HttpRequestMessage Request(string command, string? json) => new(HttpMethod.Post, $"/api/{command}")
    {
        Content = json is null ? null : new StringContent(json, Encoding.UTF8, "application/json"),
    };

    private static string? OwnAddress() => NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(one => one.GetIPProperties().UnicastAddresses)
        .Select(one => one.Address)
        .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address))?.ToString();
}
