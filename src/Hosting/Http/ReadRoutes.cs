using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Streaming.Hosting.Http;

internal static class ReadRoutes
{
    /// <summary>A route that is read: GET, and HEAD for whoever only asks whether it is there.</summary>
    public static void MapRead(this IEndpointRouteBuilder routes, string path, RequestDelegate serve) => routes.MapMethods(path, [HttpMethods.Get, HttpMethods.Head], serve);
}
