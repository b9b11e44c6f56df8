using Akka.Actor;
using Microsoft.Extensions.Logging;
using Streaming.Actors;
using Streaming.Hosting.Runs;
using AkkaLogLevel = Akka.Event.LogLevel;

namespace Streaming.Hosting.Terminal;

/// <summary>Brings a level that an operator has set to everything that writes lines; at debug the actors speak too.</summary>
internal sealed class LogLevels(Screen screen, ActorSystem actors) : IRunObserver
{
    private AkkaLogLevel? _configured;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not ControlProtocol.Changed changed)
            return;
        var level = (LogLevel)changed.Options.LogLevel;
        screen.Level = level;
        var bus = actors.EventStream;
        _configured ??= bus.LogLevel;
        bus.SetLogLevel(level <= LogLevel.Debug ? AkkaLogLevel.DebugLevel : _configured.Value);
    }
}
