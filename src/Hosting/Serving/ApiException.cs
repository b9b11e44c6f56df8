using System.Text.Json.Nodes;

namespace Streaming.Hosting.Serving;

/// <summary>A refusal in the shape of the OpenAI API.</summary>
/// <param name="status">HTTP status.</param>
/// <param name="message">One sentence: what, the value, what is allowed.</param>
/// <param name="parameter">The field at fault; null where none is.</param>
/// <param name="code">What programs go by, <c>context_length_exceeded</c> say.</param>
internal sealed class ApiException(int status, string message, string? parameter = null, string? code = null) : Exception(message)
{
    public int Status { get; } = status;

    public static ApiException Invalid(string parameter, string message, string? code = null) => new(400, message, parameter, code);

    public JsonObject ToJson() => new()
    {
        ["error"] = new JsonObject
        {
            ["message"] = Message,
            ["type"] = Status switch { 429 => "rate_limit_error", >= 500 => "server_error", _ => "invalid_request_error" },
            ["param"] = parameter,
            ["code"] = code,
        },
    };
}
