using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Streaming.Hosting.Http;

/// <summary>Refusals in the form of RFC 9457, with the field's name where one is to blame.</summary>
internal static class Problems
{
    /// <summary>Serves a request, and answers for a field that is refused.</summary>
    public static async Task GuardAsync(HttpContext context, RequestDelegate serve)
    {
        try
        {
            await serve(context).ConfigureAwait(false);
        }
        catch (RefusedFieldException refused)
        {
            await WriteAsync(context, refused.Status, refused.Message, refused.Field).ConfigureAwait(false);
        }
        catch (BadHttpRequestException bad)
        {
            await WriteAsync(context, bad.StatusCode, bad.Message).ConfigureAwait(false); // too large, cut off
        }
    }

    public static Task WriteAsync(HttpContext context, int status, string detail, string? field = null) => JsonResponse.WriteAsync(
        context, status,
        json =>
        {
            json.WriteStartObject();
            json.WriteString("title", ReasonPhrases.GetReasonPhrase(status));
            json.WriteNumber("status", status);
            json.WriteString("detail", detail);
            if (field is not null)
                json.WriteString("field", field);
            json.WriteEndObject();
        },
        "application/problem+json; charset=utf-8");
}
