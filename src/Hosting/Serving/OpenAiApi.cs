using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Serving;

/// <summary>The endpoints of the OpenAI API that a base model can serve: completions, chat completions, models.</summary>
internal sealed class OpenAiApi(ModelHub hub, ServingMetrics metrics)
{
    public void Map(WebApplication application)
    {
        application.Use(RefuseInShape);
        application.MapPost("/v1/completions", context => CompleteAsync(context, isChat: false));
        application.MapPost("/v1/chat/completions", context => CompleteAsync(context, isChat: true));
        application.MapGet("/v1/models", context => ApiMessages.WriteAsync(context, new JsonObject { ["object"] = "list", ["data"] = new JsonArray(ModelEntry()) }));
        application.MapGet("/v1/models/{name}", context =>
        {
            RequireModel(context.Request.RouteValues["name"] as string);
            return ApiMessages.WriteAsync(context, ModelEntry());
        });
        application.MapGet("/health", context => ApiMessages.WriteAsync(context, new JsonObject { ["status"] = "ok", ["model"] = hub.Current.Model.Name }));
        new TokenizerApi(hub).Map(application);
        metrics.Map(application);
    }

    private JsonObject ModelEntry() => new()
    {
        ["id"] = hub.Options.Name,
        ["object"] = "model",
        ["created"] = hub.Created.ToUnixTimeSeconds(),
        ["owned_by"] = "streaming",
        ["root"] = hub.Current.Model.Path,
        ["max_model_len"] = hub.Current.ContextLength,
    };

    private async Task CompleteAsync(HttpContext context, bool isChat)
    {
        var received = metrics.Receive();
        var fields = await ApiMessages.ReadAsync(context).ConfigureAwait(false);
        if (fields.Has("model"))
            RequireModel(fields.Text("model"));
        var request = CompletionRequest.Submit(hub, fields, isChat);
        using var gone = context.RequestAborted.Register(request.Cancel);
        var json = new CompletionJson(request, hub.Options.Name, isChat);
        if (request.Parameters.Stream)
            await StreamAsync(context, request, json, isChat, received).ConfigureAwait(false);
        else
            await AnswerAsync(context, request, json, received).ConfigureAwait(false);
    }

    private async Task AnswerAsync(HttpContext context, CompletionRequest request, CompletionJson json, ServingMetrics.Arrival received)
    {
        var texts = Enumerable.Range(0, request.Choices).Select(_ => new StringBuilder()).ToArray();
        var tokens = Enumerable.Range(0, request.Choices).Select(_ => new List<TokenDetail>()).ToArray();
        var reasons = new FinishReason[request.Choices];
        var completionTokens = 0;
        await foreach (var happened in EventsAsync(request, received).ConfigureAwait(false))
        {
            texts[happened.Choice].Append(happened.Text);
            tokens[happened.Choice].AddRange(happened.Tokens);
            if (happened.Finish is not { } finish)
                continue;
            reasons[happened.Choice] = finish;
            completionTokens += happened.TokensAdded;
        }
        if (reasons.Contains(FinishReason.Cancelled) && !context.RequestAborted.IsCancellationRequested)
            throw new ApiException(503, "the server stopped before the text was whole; try again once it is back");
        await ApiMessages.WriteAsync(context, json.Whole(
            [.. texts.Select((text, i) => (text.ToString(), (IReadOnlyList<TokenDetail>)tokens[i], reasons[i]))], completionTokens)).ConfigureAwait(false);
    }

    private static async Task StreamAsync(HttpContext context, CompletionRequest request, CompletionJson json, bool isChat, ServingMetrics.Arrival received)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        for (var choice = 0; isChat && choice < request.Choices; choice++)
            await SendAsync(context, json.Role(choice)).ConfigureAwait(false);
        var completionTokens = 0;
        await foreach (var happened in EventsAsync(request, received).ConfigureAwait(false))
        {
            completionTokens += happened.Finish is null ? 0 : happened.TokensAdded;
            await SendAsync(context, json.Chunk(happened)).ConfigureAwait(false);
        }
        if (request.Parameters.StreamUsage)
            await SendAsync(context, json.UsageChunk(completionTokens)).ConfigureAwait(false);
        await context.Response.WriteAsync("data: [DONE]\n\n", context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>A request's events until all of its texts have ended.</summary>
    private static async IAsyncEnumerable<CompletionEvent> EventsAsync(CompletionRequest request, ServingMetrics.Arrival received)
    {
        for (var open = request.Choices; open > 0;)
        {
            var happened = await request.Events.ReadAsync().ConfigureAwait(false);
            if (happened.TokensAdded > 0)
                received.FirstToken();
            open -= happened.Finish is null ? 0 : 1;
            yield return happened;
        }
    }

    private static async Task SendAsync(HttpContext context, JsonObject chunk)
    {
        await context.Response.WriteAsync($"data: {chunk.ToJsonString(ApiMessages.Format)}\n\n", context.RequestAborted).ConfigureAwait(false);
        await context.Response.Body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    private void RequireModel(string? name)
    {
        if (name != hub.Options.Name && name != hub.Current.Model.Path)
            throw new ApiException(404, $"the model '{name}' does not exist; this server has '{hub.Options.Name}'", "model", "model_not_found");
    }

    /// <summary>Whatever goes wrong is answered in the API's shape; who has left is not answered.</summary>
    private async Task RefuseInShape(HttpContext context, RequestDelegate next)
    {
        ApiException? refusal = null;
        context.Response.Headers["x-request-id"] = context.TraceIdentifier; // which OpenAI's clients show with an error
        try
        {
            await next(context).ConfigureAwait(false);
            if (context.Response is { HasStarted: false, StatusCode: 404 or 405, ContentType: null })
                refusal = context.Response.StatusCode == 404
                    ? new ApiException(404, $"there is no {context.Request.Path}; this server has /v1/completions, /v1/chat/completions and /v1/models", code: "unknown_url")
                    : new ApiException(405, $"{context.Request.Method} is not allowed on {context.Request.Path}", code: "method_not_allowed");
        }
        catch (ApiException mistake)
        {
            refusal = mistake;
        }
        catch (BadHttpRequestException mistake)
        {
            refusal = new ApiException(mistake.StatusCode, $"the request cannot be read: {mistake.Message.TrimEnd('.')}");
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (Exception failure) when (failure is not IOException)
        {
            await Console.Error.WriteLineAsync($"streaming: {context.Request.Method} {context.Request.Path} failed: {failure}").ConfigureAwait(false); // a mistake of this program
            refusal = new ApiException(500, "the server failed at this request, which its log tells more of", code: "internal_error");
        }
        metrics.Answer(context, refusal?.Status ?? context.Response.StatusCode);
        if (refusal is null || context.Response.HasStarted)
            return;
        context.Response.StatusCode = refusal.Status;
        if (refusal.Status == 429)
            context.Response.Headers.RetryAfter = "1";
        await ApiMessages.WriteAsync(context, refusal.ToJson()).ConfigureAwait(false);
    }
}
