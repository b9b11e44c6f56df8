using Streaming.Actors;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Runs;

/// <summary>Writes <c>config.hocon</c> into the run's folder once the run holds it: what the run is, every path absolute. How it
/// was resumed is left out, so that the file goes on with the run.</summary>
internal sealed class ResolvedConfiguration(Settings settings) : IRunObserver
{
    public const string FileName = "config.hocon";

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not RunProtocol.Started started)
            return;
        var path = Path.Combine(started.RunDirectory, FileName);
        var aside = path + ".new";
        File.WriteAllText(aside, $"# What this run is, as resolved; train --config {FileName} goes on with it.\n" + ConfigCommand.Print(settings, Keys.Resume));
        File.Move(aside, path, overwrite: true);
    }
}
