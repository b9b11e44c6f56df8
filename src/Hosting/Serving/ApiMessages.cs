using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Streaming.Hosting.Serving;

/// <summary>Bodies of requests and answers.</summary>
internal static class ApiMessages
{
    /// <summary>Bytes of a request at most: a hundred prompts of tens of thousands of tokens.</summary>
    private const long LargestBody = 32 << 20;

    public static JsonSerializerOptions Format { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="ApiException">The body is no JSON object.</exception>
    public static async Task<JsonFields> ReadAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = LargestBody;
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted).ConfigureAwait(false);
        return JsonFields.Parse(body.ToArray());
    }

    public static Task WriteAsync(HttpContext context, JsonObject json)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsync(json.ToJsonString(Format), context.RequestAborted);
    }
}
