using Streaming.Actors;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Runs;

/// <summary>Keeps what the console shows, progress aside, in <c>logs/streaming.log</c> of the run's folder, one process after the other.</summary>
internal sealed class RunLog(Screen screen) : IRunObserver, IDisposable
{
    private StreamWriter? _file;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not RunProtocol.Started started || _file is not null)
            return;
        var folder = Directory.CreateDirectory(Path.Combine(started.RunDirectory, "logs"));
        _file = new StreamWriter(Path.Combine(folder.FullName, "streaming.log"), append: true);
        screen.CopyTo(_file);
    }

    public void Dispose()
    {
        screen.CopyTo(TextWriter.Null);
        _file?.Dispose();
    }
}
