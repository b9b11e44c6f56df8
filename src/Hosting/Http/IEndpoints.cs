using Microsoft.AspNetCore.Builder;

namespace Streaming.Hosting.Http;

/// <summary>A group of routes.</summary>
internal interface IEndpoints
{
    void Map(WebApplication application);

    /// <summary>The server stops: responses that go on and on end.</summary>
    void Close()
    {
    }
}
