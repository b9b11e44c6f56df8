using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Event;
using Akka.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Streaming.Actors.Tests.Runs;

/// <summary>A run in a generic host of its own, registered as the executable registers it, with every event kept.</summary>
internal sealed class HostedRun : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly ConcurrentQueue<RunProtocol.IEvent> _events = new();
    private readonly SemaphoreSlim _happened = new(0);
    private readonly IHost _host;
    private long _lastStep;

    private HostedRun(RunOptions options, EngineMaker? engines)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(Microsoft.Extensions.Logging.LogLevel.None);
        builder.Services.AddAkka("run", akka => akka
            // Subscribed from outside: the actor itself begins at some later time, when the run may have said much already.
            .WithActors((system, _) => system.EventStream.Subscribe<RunProtocol.IEvent>(system.ActorOf(Props.Create(() => new Observer(Keep)), "observer")))
            .AddStreamingRun(options, Run, engines));
        _host = builder.Build();
    }

    public RunHandle Run { get; } = new();

    /// <summary>Steps are counted and not kept: for runs of a hundred thousand.</summary>
    public bool KeepsNoSteps { get; set; }

    public IReadOnlyList<RunProtocol.IEvent> Events => [.. _events];

    public IEnumerable<TrainerProtocol.StepCompleted> Steps => Events.OfType<TrainerProtocol.StepCompleted>();

    public IActorRef Supervisor => _host.Services.GetRequiredService<IRequiredActor<RunSupervisor>>().ActorRef;

    public static async Task<HostedRun> StartAsync(RunOptions options, EngineMaker? engines = null)
    {
        var run = new HostedRun(options, engines);
        await run._host.StartAsync();
        return run;
    }

    /// <summary>A whole run: start, outcome, shutdown.</summary>
    public static async Task<(RunOutcome Outcome, HostedRun Run)> CompleteAsync(RunOptions options, EngineMaker? engines = null)
    {
        await using var run = await StartAsync(options, engines);
        var outcome = await run.EndAsync();
        await run.SeeAsync(happened => happened is RunProtocol.Ended);
        return (outcome, run);
    }

    public Task<RunOutcome> EndAsync() => Run.Outcome.WaitAsync(s_limit);

    /// <summary>Ends the host as SIGTERM does: through the hosted service and CoordinatedShutdown.</summary>
    public Task ShutDownAsync() => _host.StopAsync().WaitAsync(s_limit);

    /// <summary>Takes the run away as a killed process loses it: no stop, no last checkpoint.</summary>
    public void Kill() => _host.Services.GetRequiredService<ActorSystem>().Stop(Supervisor);

    /// <summary>Waits until an event has been seen.</summary>
    public async Task SeeAsync(Func<RunProtocol.IEvent, bool> wanted)
    {
        while (!_events.Any(wanted))
        {
            Assert.True(await _happened.WaitAsync(s_limit), $"the event did not come; the last was {_events.LastOrDefault()}");
            Assert.False(_events.LastOrDefault() is RunProtocol.Ended && !_events.Any(wanted), $"the event did not come: {_events.LastOrDefault()}");
        }
    }

    /// <summary>Waits until a step is taken, however long the run.</summary>
    public async Task SeeStepAsync(long step, TimeSpan limit)
    {
        var until = DateTime.UtcNow + limit;
        while (Volatile.Read(ref _lastStep) < step && !Run.Outcome.IsCompleted)
        {
            Assert.True(DateTime.UtcNow < until, $"step {step} did not come; the last was {_lastStep}");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await ShutDownAsync();
        _host.Dispose();
    }

    private void Keep(RunProtocol.IEvent happened)
    {
        if (happened is TrainerProtocol.StepCompleted step)
            Volatile.Write(ref _lastStep, step.Step);
        if (KeepsNoSteps && happened is TrainerProtocol.StepCompleted)
            return;
        _events.Enqueue(happened);
        _happened.Release();
    }

    private sealed class Observer : ReceiveActor
    {
        public Observer(Action<RunProtocol.IEvent> keep) => Receive<RunProtocol.IEvent>(keep);
    }
}
