using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Http;

namespace Streaming.Hosting.Live;

/// <summary>What shows a run: the page, and below <c>/api</c> what it is made of. Nothing here changes anything.</summary>
internal sealed class LiveEndpoints(Settings settings, RunStatus status, RunHistory history, EventLog events, LiveStream stream) : IEndpoints
{
    private const int MostBuckets = 10_000;
    private readonly PageAssets _assets = new();

    public void Map(WebApplication application)
    {
        application.MapRead("/api/status", context => JsonResponse.WriteAsync(context, StatusCodes.Status200OK, status.Write));
        application.MapRead("/api/history", context => Problems.GuardAsync(context, HistoryAsync));
        application.MapRead("/api/events", context => Problems.GuardAsync(context, EventsAsync));
        application.MapRead("/api/config", context => JsonResponse.WriteAsync(context, StatusCodes.Status200OK, Encoding.UTF8.GetBytes(ConfigCommand.Print(settings, Keys.Resume)), "text/plain; charset=utf-8"));
        application.MapGet("/api/stream", stream.ServeAsync);
        application.MapRead("/openapi.json", context => _assets.ServeAsync(context, "openapi.json"));
        application.MapRead("/", context => _assets.ServeAsync(context, "index.html"));
        application.MapRead("/assets/{name}", context => _assets.ServeAsync(context, (string)context.Request.RouteValues["name"]!));
    }

    public void Close() => stream.Close();

    private async Task HistoryAsync(HttpContext context)
    {
        RefuseOthers(context, "from", "to", "points");
        var from = Integer(context, "from", 0, long.MaxValue, 0);
        var to = Integer(context, "to", 0, long.MaxValue, long.MaxValue);
        var points = Integer(context, "points", 1, MostBuckets, 1000);
        await history.Loading.ConfigureAwait(false);
        await JsonResponse.WriteAsync(context, StatusCodes.Status200OK, json => history.Write(json, from, to, (int)points)).ConfigureAwait(false);
    }

    private Task EventsAsync(HttpContext context)
    {
        RefuseOthers(context, "last");
        return JsonResponse.WriteAsync(context, StatusCodes.Status200OK, events.Read((int)Integer(context, "last", 1, 1000, 200)));
    }

    private static void RefuseOthers(HttpContext context, params string[] known)
    {
        if (context.Request.Query.Keys.FirstOrDefault(name => !known.Contains(name)) is { } other)
            throw RefusedFieldException.Unknown(other, known);
    }

    /// <summary>A number of the query.</summary>
    private static long Integer(HttpContext context, string name, long minimum, long maximum, long fallback)
    {
        var text = context.Request.Query[name].ToString();
        if (text.Length == 0)
            return fallback;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= minimum && value <= maximum)
            return value;
        throw new RefusedFieldException(StatusCodes.Status422UnprocessableEntity, name, $"{name} must be an integer from {minimum} to {maximum}");
    }
}
