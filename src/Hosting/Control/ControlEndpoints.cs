using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Streaming.Actors;
using Streaming.Hosting.Http;
using Streaming.Hosting.Live;

namespace Streaming.Hosting.Control;

/// <summary>
/// What changes a run: <c>POST /api/pause</c>, <c>resume</c>, <c>checkpoint</c>, <c>evaluate</c>, <c>sample</c>, <c>set</c>,
/// <c>stop</c>. Answers 200 once it is in force, 202 where the step under way takes longer than this waits, and an
/// RFC 9457 problem otherwise: 400 what is not understood, 401 no or a wrong token, 409 not in this state, 422 a value out of its range.
/// </summary>
internal sealed class ControlEndpoints(RunHandle run, RunStatus status, RunToken token, RunOptions configured) : IEndpoints
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _patienceForText = TimeSpan.FromMinutes(2);

    private readonly ControlAccess _access = new(() => token.Token);

    public void Map(WebApplication application)
    {
        Post("pause", (by, body) => Plain(body, new ControlProtocol.Pause(by)));
        Post("resume", (by, body) => Plain(body, new ControlProtocol.Resume(by)));
        Post("checkpoint", (by, body) => Plain(body, new ControlProtocol.SaveCheckpoint(by)));
        Post("evaluate", (by, body) => Plain(body, new ControlProtocol.Evaluate(by)));
        Post("stop", (by, body) => Plain(body, new ControlProtocol.Stop(by)));
        Post("sample", (by, body) => CommandFields.ReadSample(body, by, status.Options), _patienceForText);
        Post("set", (by, body) => new ControlProtocol.Change(by, CommandFields.ReadSettings(body, status.Step, configured)));

        void Post(string name, Func<string, JsonElement, ControlProtocol.Command> read, TimeSpan? patience = null) =>
            application.MapPost($"/api/{name}", context => ServeAsync(context, read, patience ?? _patience));
    }

    private static ControlProtocol.Command Plain(JsonElement body, ControlProtocol.Command command)
    {
        CommandFields.RequireNone(body);
        return command;
    }

    private async Task ServeAsync(HttpContext context, Func<string, JsonElement, ControlProtocol.Command> read, TimeSpan patience)
    {
        var verdict = _access.Judge(context);
        if (verdict.Status != StatusCodes.Status200OK)
        {
            if (verdict.Status == StatusCodes.Status401Unauthorized)
                context.Response.Headers.WWWAuthenticate = "Bearer realm=\"streaming\"";
            await Problems.WriteAsync(context, verdict.Status, verdict.Text).ConfigureAwait(false);
            return;
        }
        await Problems.GuardAsync(context, async _ =>
        {
            if (context.Request.Query.Keys.FirstOrDefault() is { } parameter)
                throw new RefusedFieldException(StatusCodes.Status400BadRequest, RefusedFieldException.Shown(parameter), "a command has no query: its fields are the body's");
            using var body = await ReadBodyAsync(context).ConfigureAwait(false);
            var command = Read(read, verdict.Text, body.RootElement);
            await AnswerAsync(context, await run.AskAsync(command, patience).ConfigureAwait(false)).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private static ControlProtocol.Command Read(Func<string, JsonElement, ControlProtocol.Command> read, string by, JsonElement body)
    {
        try
        {
            var names = new HashSet<string>();
            if (body.EnumerateObject().Select(field => field.Name).FirstOrDefault(name => !names.Add(name)) is { } twice)
                throw new RefusedFieldException(StatusCodes.Status400BadRequest, RefusedFieldException.Shown(twice), $"field {RefusedFieldException.Shown(twice)} is given twice");
            return read(by, body);
        }
        catch (InvalidOperationException) // of JsonElement, which unescapes texts when they are asked for
        {
            throw new RefusedFieldException(StatusCodes.Status400BadRequest, null, "the body holds half a surrogate pair, which is no text");
        }
    }

    private static Task AnswerAsync(HttpContext context, ControlProtocol.Answer? answer) => answer switch
    {
        null => WriteAsync(context, StatusCodes.Status202Accepted, null, "accepted: it takes effect after the step under way", null),
        ControlProtocol.Done done => WriteAsync(context, StatusCodes.Status200OK, done.Step, done.Sentence, done.Text),
        ControlProtocol.Busy busy => Problems.WriteAsync(context, StatusCodes.Status409Conflict, busy.Sentence),
        _ => Problems.WriteAsync(context, StatusCodes.Status500InternalServerError, answer.Sentence),
    };

    /// <summary>An empty body is an empty object.</summary>
    private static async Task<JsonDocument> ReadBodyAsync(HttpContext context)
    {
        using var memory = new MemoryStream();
        await context.Request.Body.CopyToAsync(memory, context.RequestAborted).ConfigureAwait(false);
        if (memory.Length == 0)
            return JsonDocument.Parse("{}");
        if (!context.Request.HasJsonContentType())
            throw new RefusedFieldException(StatusCodes.Status415UnsupportedMediaType, null, "the body must be JSON: Content-Type: application/json");
        try
        {
            var body = JsonDocument.Parse(memory.GetBuffer().AsMemory(0, (int)memory.Length), new JsonDocumentOptions { MaxDepth = 8 });
            return body.RootElement.ValueKind == JsonValueKind.Object
                ? body
                : throw new RefusedFieldException(StatusCodes.Status400BadRequest, null, "the body must be a JSON object");
        }
        catch (JsonException broken)
        {
            throw new RefusedFieldException(StatusCodes.Status400BadRequest, null, $"the body is no JSON: line {broken.LineNumber + 1}, byte {broken.BytePositionInLine + 1}");
        }
    }

    private static Task WriteAsync(HttpContext context, int code, long? step, string sentence, string? text) => JsonResponse.WriteAsync(context, code, json =>
    {
        json.WriteStartObject();
        json.WriteString("message", sentence);
        if (step is { } number)
            json.WriteNumber("step", number);
        if (text is not null)
            json.WriteString("text", text);
        json.WriteEndObject();
    });
}
