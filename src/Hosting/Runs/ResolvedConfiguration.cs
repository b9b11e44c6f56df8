using Streaming.Actors;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Runs;

/// <summary>Writes <c>config.hocon</c> into the run's folder once the run holds it: what the run is, every path absolute.</summary>
internal sealed class ResolvedConfiguration(Settings settings) : IRunObserver
{
    public const string FileName = "config.hocon";

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not RunProtocol.Started started)
            return;
        var path = Path.Combine(started.RunDirectory, FileName);
        var aside = path + ".new";
        File.WriteAllText(aside, $"# What this run is, as resolved: streaming train --config {FileName} goes on with it.\n" + ConfigCommand.Print(settings));
        File.Move(aside, path, overwrite: true);
    }
}
