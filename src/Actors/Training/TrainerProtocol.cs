using Streaming.Model.Generation;

namespace Streaming.Actors;

/// <summary>What the trainer is told, between two steps, and what it says.</summary>
public static class TrainerProtocol
{
    public interface ICommand;

    /// <summary>What an operator asks for, who is told of in the event log where it is accepted.</summary>
    public abstract record Order(ControlProtocol.Command? By) : ICommand;

    /// <summary>Write a checkpoint after the current step; answered by <see cref="CheckpointProtocol.Written"/> on the event stream.</summary>
    public sealed record SaveCheckpoint(ControlProtocol.Command? By = null) : Order(By);

    /// <summary>Evaluate on the held-out batches after the current step.</summary>
    public sealed record Evaluate(ControlProtocol.Command? By = null) : Order(By);

    /// <summary>Continue a prompt after the current step; the sender is answered with <see cref="ControlProtocol.Done"/> once it is done.</summary>
    public sealed record Sample(string Prompt, int MaxNewTokens, SamplingOptions Sampling, ControlProtocol.Command? By = null) : Order(By);

    /// <summary>Go on with changed options: pause or not, and every <see cref="RunSetting"/>.</summary>
    internal sealed record Adjust(RunOptions Options) : ICommand;

    /// <summary>Finish the current step, write a checkpoint, and report <see cref="Finished"/>.</summary>
    public sealed record Stop : ICommand;

    /// <summary>One optimiser step is done.</summary>
    /// <param name="Step">Steps taken, this one included.</param>
    /// <param name="Loss">Mean over the step's micro-batches, nats per predicted token.</param>
    /// <param name="GradientNorm">Global L2 norm before clipping.</param>
    /// <param name="LearningRate">The step's learning rate.</param>
    /// <param name="Tokens">Tokens of this step.</param>
    /// <param name="TotalTokens">Tokens of the run, this step included.</param>
    /// <param name="Elapsed">Wall time of the step, waiting for text included.</param>
    /// <param name="DataWait">The part of <paramref name="Elapsed"/> that was spent waiting for text.</param>
    /// <param name="QueueDepth">Batches that lay ready when the step ended.</param>
    /// <param name="Skipped">The update was left out because the gradient was not finite (fp16 overflow).</param>
    public sealed record StepCompleted(
        long Step, float Loss, float GradientNorm, double LearningRate, long Tokens, long TotalTokens,
        TimeSpan Elapsed, TimeSpan DataWait, int QueueDepth, bool Skipped) : RunProtocol.IEvent
    {
        public double TokensPerSecond => Tokens / Math.Max(Elapsed.TotalSeconds, 1e-9);
    }

    /// <summary>The held-out text was evaluated.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="Loss">Mean cross-entropy over the batches, nats per predicted token.</param>
    /// <param name="Batches">Batches evaluated.</param>
    /// <param name="Elapsed">Wall time.</param>
    public sealed record EvaluationCompleted(long Step, double Loss, int Batches, TimeSpan Elapsed) : RunProtocol.IEvent
    {
        public double Perplexity => Math.Exp(Loss);
    }

    /// <summary>Batches were taken from the text and not trained on, because of what they had led to; <c>skipped.jsonl</c> has their documents.</summary>
    /// <param name="Step">The step before which they were taken.</param>
    /// <param name="Batches">How many.</param>
    /// <param name="Reason">What they had led to.</param>
    public sealed record DataSkipped(long Step, long Batches, string Reason) : RunProtocol.IEvent;

    /// <summary>An evaluation could not be made; the training goes on, and the next one is tried again.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="Reason">What failed, in one sentence.</param>
    public sealed record EvaluationFailed(long Step, string Reason) : RunProtocol.IEvent;

    /// <summary>The model continued the sample prompt.</summary>
    /// <param name="Step">Steps taken.</param>
    /// <param name="Prompt">The prompt.</param>
    /// <param name="Text">The prompt with its continuation.</param>
    public sealed record SampleGenerated(long Step, string Prompt, string Text) : RunProtocol.IEvent;

    /// <summary>To the supervisor: the trainer has nothing more to do, and what it learned is in a checkpoint.</summary>
    /// <param name="End">Why.</param>
    /// <param name="Step">Steps of the run.</param>
    /// <param name="StepsTaken">Those that this trainer took.</param>
    /// <param name="Checkpoint">Where they are; null before the first checkpoint.</param>
    /// <param name="Best">The checkpoint with the least validation loss, where it was loaded at the end.</param>
    internal sealed record Finished(TrainingEnd End, long Step, long StepsTaken, string? Checkpoint, string? Best = null);
}

/// <summary>Why the trainer came to its end.</summary>
internal abstract record TrainingEnd
{
    /// <summary>All steps of the run are taken.</summary>
    internal sealed record StepsDone : TrainingEnd;

    /// <summary>The run had all its steps before it began.</summary>
    internal sealed record NothingToDo : TrainingEnd;

    /// <summary>The sources have no further batch.</summary>
    internal sealed record SourcesUsedUp : TrainingEnd;

    /// <summary>Somebody asked for it.</summary>
    internal sealed record StopRequested : TrainingEnd;

    /// <summary>The text path failed; what came before the failure is trained on.</summary>
    internal sealed record TextFailed(Exception Failure) : TrainingEnd;

    /// <summary>The last checkpoint could not be written.</summary>
    internal sealed record CheckpointLost(string Reason) : TrainingEnd;
}
