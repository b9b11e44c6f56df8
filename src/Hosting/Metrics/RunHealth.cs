using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Metrics;

/// <summary>What the health endpoints answer.</summary>
internal sealed class RunHealth : IRunObserver
{
    private volatile string _state = "starting";
    private volatile bool _ready;
    private volatile bool _failed;

    /// <summary>Training goes on: the model is loaded and the text is open.</summary>
    public bool Ready => _ready;

    /// <summary>False once the run has failed and only the end of the process remains.</summary>
    public bool Live => !_failed;

    /// <summary>One word or sentence for people.</summary>
    public string State => _state;

    public void Observe(RunProtocol.IEvent happened)
    {
        switch (happened)
        {
            case RunProtocol.Started:
                _state = "training";
                _ready = true;
                break;
            case RunProtocol.Ended ended:
                _state = ended.Outcome.Sentence;
                _failed = ended.Outcome is RunOutcome.Failed;
                _ready = false;
                break;
        }
    }
}
