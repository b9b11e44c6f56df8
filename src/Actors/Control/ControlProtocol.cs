using Streaming.Model.Generation;

namespace Streaming.Actors;

/// <summary>What an operator asks of a run that goes on, through <see cref="RunHandle.AskAsync"/>, and what the run answers.</summary>
public static class ControlProtocol
{
    /// <param name="By">Who asks, for the event log.</param>
    public abstract record Command(string By)
    {
        /// <summary>What is asked, for the event log: <c>set learning-rate = 0.0001</c>.</summary>
        public abstract string What { get; }
    }

    /// <summary>Take no further step. Evaluations, samples and checkpoints go on; so does the pause after a restart of the process.</summary>
    public sealed record Pause(string By) : Command(By)
    {
        public override string What => "pause";
    }

    public sealed record Resume(string By) : Command(By)
    {
        public override string What => "resume";
    }

    /// <summary>Write a checkpoint after the step under way.</summary>
    public sealed record SaveCheckpoint(string By) : Command(By)
    {
        public override string What => "checkpoint";
    }

    /// <summary>Evaluate on the held-out text after the step under way.</summary>
    public sealed record Evaluate(string By) : Command(By)
    {
        public override string What => "evaluate";
    }

    /// <summary>Continue a prompt with the present weights after the step under way; answered with the text.</summary>
    /// <param name="By">Who asks.</param>
    /// <param name="Prompt">Text to continue.</param>
    /// <param name="MaxNewTokens">Tokens to add at most.</param>
    /// <param name="Sampling">How tokens are drawn.</param>
    public sealed record Sample(string By, string Prompt, int MaxNewTokens, SamplingOptions Sampling) : Command(By)
    {
        public override string What => "sample";
    }

    /// <summary>Change settings of the run, all or none; each must be one of <see cref="RunSetting.All"/> and within its range.</summary>
    /// <param name="By">Who asks.</param>
    /// <param name="Values">By name; null goes back to the configuration's.</param>
    public sealed record Change(string By, IReadOnlyDictionary<string, double?> Values) : Command(By)
    {
        public override string What => "set " + string.Join(", ", Values.Select(value =>
            value.Value is { } number ? FormattableString.Invariant($"{value.Key} = {number}") : $"{value.Key} = as configured"));
    }

    /// <summary>Finish the step, write a checkpoint, end the process with exit code 0.</summary>
    public sealed record Stop(string By) : Command(By)
    {
        public override string What => "stop";
    }

    /// <param name="Sentence">For people.</param>
    public abstract record Answer(string Sentence);

    /// <summary>It has taken effect after <paramref name="Step"/> steps.</summary>
    /// <param name="Text">What a sample came to; null for everything else.</param>
    public sealed record Done(long Step, string Sentence, string? Text = null) : Answer(Sentence);

    /// <summary>The run is in a state in which that cannot be; nothing has changed.</summary>
    public sealed record Busy(string Sentence) : Answer(Sentence);

    /// <summary>It was tried and failed; nothing has changed.</summary>
    public sealed record Failed(string Sentence) : Answer(Sentence);

    /// <summary>A command was accepted; it takes effect at the next boundary of a step.</summary>
    public sealed record Commanded(string By, string What) : RunProtocol.IEvent;

    /// <summary>The run takes no further step until it is resumed.</summary>
    public sealed record Paused(long Step) : RunProtocol.IEvent;

    /// <summary>Said every second of a pause: the trainer listens.</summary>
    public sealed record StillPaused(long Step) : RunProtocol.IEvent;

    public sealed record Resumed(long Step) : RunProtocol.IEvent;

    /// <summary>Settings have changed, from the next step on.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="Options">The run with its changes.</param>
    public sealed record Changed(long Step, RunOptions Options) : RunProtocol.IEvent;
}
