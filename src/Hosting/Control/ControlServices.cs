using Microsoft.Extensions.DependencyInjection;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Http;
using Streaming.Hosting.Live;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Control;

/// <summary>Registration of what shows a run and of what changes it.</summary>
internal static class ControlServices
{
    public static IServiceCollection AddLiveAndControl(this IServiceCollection services, Settings settings) => services
        .AddSingleton(settings)
        .AddSingleton<PipelineWindow>()
        .AddSingleton<RunStatus>()
        .AddSingleton<RunHistory>()
        .AddSingleton<EventLog>()
        .AddSingleton<LiveStream>()
        .AddSingleton(_ => new RunToken(settings.Get(Keys.TokenFile)))
        .AddSingleton<IRunObserver>(s => s.GetRequiredService<RunToken>())
        .AddSingleton<IRunObserver>(s => s.GetRequiredService<PipelineWindow>())
        .AddSingleton<IRunObserver>(s => s.GetRequiredService<RunStatus>())
        .AddSingleton<IRunObserver>(s => s.GetRequiredService<RunHistory>())
        .AddSingleton<IRunObserver>(s => s.GetRequiredService<EventLog>())
        .AddSingleton<IEndpoints, ControlEndpoints>()
        .AddSingleton<IEndpoints, LiveEndpoints>();
}
