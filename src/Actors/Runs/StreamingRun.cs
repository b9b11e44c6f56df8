using Akka.Actor;
using Akka.Hosting;

namespace Streaming.Actors;

/// <summary>Registration of a run with Akka.Hosting: what the executable and the tests both use.</summary>
public static class StreamingRun
{
    /// <summary>Dispatchers and shutdown phases that a run needs.</summary>
    /// <remarks>
    /// GPU work never moves between threads, and a checkpoint writer blocks on the disk: both get a thread of their own.
    /// The shutdown phase holds the end of the process until the checkpoint is written; the host's hook starts it, not Akka's.
    /// </remarks>
    private const string Hocon =
        """
        streaming.dispatchers {
          trainer.type = PinnedDispatcher
          checkpoints.type = PinnedDispatcher
        }
        akka.coordinated-shutdown {
          run-by-clr-shutdown-hook = off
          phases.before-service-unbind.timeout = {0} s
        }
        """;

    internal const string TrainerDispatcher = "streaming.dispatchers.trainer";
    internal const string CheckpointDispatcher = "streaming.dispatchers.checkpoints";

    /// <summary>
    /// Adds one run to the actor system. It begins when the system starts; <paramref name="run"/> completes with its outcome,
    /// and CoordinatedShutdown ends it with a checkpoint.
    /// </summary>
    /// <param name="builder">The actor system being configured.</param>
    /// <param name="options">The run.</param>
    /// <param name="run">The host's end of the run.</param>
    /// <param name="engines">Makes the engine, on the trainer's thread, at the start and after each rollback; null is <see cref="EngineFactory.Create"/>.</param>
    public static AkkaConfigurationBuilder AddStreamingRun(
        this AkkaConfigurationBuilder builder, RunOptions options, RunHandle run, EngineMaker? engines = null)
    {
        var hocon = Hocon.Replace("{0}", Math.Ceiling(options.ShutdownTimeout.TotalSeconds).ToString(), StringComparison.Ordinal);
        return builder
            .AddHocon(hocon, HoconAddMode.Prepend)
            .WithActors((system, registry) =>
            {
                CoordinatedShutdown.Get(system).AddTask(CoordinatedShutdown.PhaseBeforeServiceUnbind, "end-the-run", async () =>
                {
                    run.RequestStop(StopSignal.Terminate);
                    await run.Outcome.ConfigureAwait(false);
                    return Akka.Done.Instance;
                });
                var supervisor = system.ActorOf(RunSupervisor.Props(options, run, engines ?? EngineFactory.Create), "run");
                registry.Register<RunSupervisor>(supervisor);
                run.Attach(supervisor);
            });
    }
}
