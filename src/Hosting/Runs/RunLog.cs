using Streaming.Actors;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Runs;

/// <summary>
/// Keeps what the console shows, progress aside, in <c>logs/streaming.log</c> of the run's folder, one process after the other. Where the
/// disk is full, lines are missing in it.
/// </summary>
internal sealed class RunLog(Screen screen) : IRunObserver, IDisposable
{
    private StreamWriter? _file;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not RunProtocol.Started started || _file is not null)
            return;
        try
        {
            var folder = Directory.CreateDirectory(Path.Combine(started.RunDirectory, "logs"));
            // Without a buffer a failed write leaves nothing behind that would be tried again when the file is closed.
            _file = new StreamWriter(new FileStream(Path.Combine(folder.FullName, "streaming.log"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            screen.WriteNotice($"no log is kept in {started.RunDirectory}: {failure.Message.TrimEnd('.')}");
            return;
        }
        screen.CopyTo(_file);
    }

    public void Dispose()
    {
        screen.CopyTo(TextWriter.Null);
        _file?.Dispose();
    }
}
