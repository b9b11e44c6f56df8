using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Control;

/// <summary>The token of the run: the user's at once, one of the run's own folder as soon as the run holds that folder.</summary>
/// <param name="file">The file, or <c>auto</c>.</param>
internal sealed class RunToken(string file) : IRunObserver
{
    private volatile ControlToken? _token = file == "auto" ? null : ControlToken.Read(file);

    public ControlToken? Token => _token;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is RunProtocol.Started started)
            _token ??= ControlToken.OfRun(started.RunDirectory);
    }
}
