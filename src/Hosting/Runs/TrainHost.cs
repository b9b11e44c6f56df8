using Akka.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;
using Prometheus;
using Streaming.Actors;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Control;
using Streaming.Hosting.Http;
using Streaming.Hosting.Metrics;
using Streaming.Hosting.Metrics.Gpu;
using Streaming.Hosting.Terminal;
using AkkaLogLevel = Akka.Event.LogLevel;

namespace Streaming.Hosting.Runs;

/// <summary>The generic host of a run: metrics first, then the actor system with the run and everything that watches it.</summary>
internal static class TrainHost
{
    /// <summary>What the host needs beyond the run's own end: phases of Akka's shutdown, closing connections.</summary>
    private static readonly TimeSpan _beyondTheRun = TimeSpan.FromSeconds(30);

    /// <param name="settings">The configuration.</param>
    /// <param name="options">The run.</param>
    /// <param name="run">How the caller learns of its end.</param>
    /// <param name="screen">Where it is told of.</param>
    /// <param name="observers">Who sees its events, besides metrics and console.</param>
    /// <param name="observed">Completes once every observer has seen the end.</param>
    public static IHost Build(
        Settings settings, RunOptions options, RunHandle run, Screen screen, IReadOnlyList<IRunObserver> observers, TaskCompletionSource observed)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.Debug).AddFilter("Microsoft", LogLevel.Warning)
            .AddProvider(new TerminalLogs(screen));
        builder.Services
            .AddSingleton<IHostLifetime, RunLifetime>()
            .AddSingleton<ISystemdNotifier, SystemdNotifier>() // does nothing where NOTIFY_SOCKET names no socket
            .Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTimeout + _beyondTheRun)
            .AddSingleton(Prometheus.Metrics.NewCustomRegistry())
            .AddSingleton(RunOptionsBuilder.BuildMetrics(settings))
            .AddSingleton(TimeProvider.System)
            .AddSingleton(options)
            .AddSingleton<GpuMetrics>()
            .AddSingleton<RunMetrics>()
            .AddSingleton<PipelineMetrics>()
            .AddSingleton<ProcessMetrics>(services => new ProcessMetrics(services.GetRequiredService<CollectorRegistry>(), options.RunDirectory))
            .AddSingleton<TextMetrics>()
            .AddSingleton<RunHealth>()
            .AddSingleton(run)
            .AddLiveAndControl(settings)
            .AddSingleton<MetricsServer>(services => new MetricsServer(
                services.GetRequiredService<MetricsOptions>(), services.GetRequiredService<CollectorRegistry>(), services.GetRequiredService<RunHealth>(),
                services.GetServices<IEndpoints>()))
            .AddSingleton(services => Watchdog.ForProcess(settings.Get(Keys.WatchdogTimeout), services.GetRequiredService<ISystemdNotifier>(), screen))
            .AddHostedService(services => services.GetRequiredService<MetricsServer>())
            .AddAkka("streaming", (akka, services) => akka
                .AddHocon(string.Join('\n', ConfigCommand.FlattenAkka(settings).Select(l => l.Text)), HoconAddMode.Prepend)
                .ConfigureLoggers(loggers =>
                {
                    loggers.LogLevel = LogLevelOf(settings);
                    loggers.ClearLoggers();
                    loggers.AddLoggerFactory();
                })
                .WithActors((system, _) => Listen(system, Observers(services, new LogLevels(screen, system), observers), observed))
                .AddStreamingRun(options, run));
        return builder.Build();
    }

    /// <summary>Subscribes before the run's actors exist, so that nothing is missed.</summary>
    private static void Listen(Akka.Actor.ActorSystem system, IReadOnlyList<IRunObserver> observers, TaskCompletionSource observed)
    {
        var listener = system.ActorOf(Akka.Actor.Props.Create(() => new RunEventListener(observers, observed)), "observers");
        system.EventStream.Subscribe(listener, typeof(RunProtocol.IEvent));
    }

    private static List<IRunObserver> Observers(IServiceProvider services, LogLevels levels, IReadOnlyList<IRunObserver> observers)
    {
        services.GetRequiredService<ProcessMetrics>(); // no meters, no event counters: only what somebody reads
        List<IRunObserver> all =
        [
            services.GetRequiredService<GpuMetrics>(), services.GetRequiredService<RunMetrics>(), services.GetRequiredService<PipelineMetrics>(),
            services.GetRequiredService<TextMetrics>(), services.GetRequiredService<RunHealth>(), .. services.GetServices<IRunObserver>(), levels, .. observers,
        ];
        all.Add(services.GetRequiredService<Watchdog>());
        return all;
    }

    private static AkkaLogLevel LogLevelOf(Settings settings)
    {
        var level = (settings.Akka.Find(["loglevel"]) as Configuration.Hocon.ConfigurationScalar)?.Text ?? "WARNING";
        return level.ToUpperInvariant() switch
        {
            "DEBUG" => AkkaLogLevel.DebugLevel,
            "INFO" => AkkaLogLevel.InfoLevel,
            "WARNING" => AkkaLogLevel.WarningLevel,
            "ERROR" => AkkaLogLevel.ErrorLevel,
            _ => throw new UserErrorException($"akka.loglevel must be DEBUG, INFO, WARNING or ERROR, was {level}."),
        };
    }

    /// <summary>
    /// The run decides when the process ends: see <see cref="StopSignals"/>. systemd learns that the daemon is up and when it goes; the
    /// library's own lifetime would ask for the parent's name, which the unit's sandbox hides.
    /// </summary>
    private sealed class RunLifetime(IHostApplicationLifetime application, ISystemdNotifier systemd) : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken)
        {
            application.ApplicationStarted.Register(() => systemd.Notify(ServiceState.Ready));
            application.ApplicationStopping.Register(() => systemd.Notify(ServiceState.Stopping));
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
