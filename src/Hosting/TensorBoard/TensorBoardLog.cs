using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.TensorBoard;

/// <summary>
/// The run for TensorBoard, under the names that Transformers' Trainer uses: <c>tensorboard --logdir runs</c>. A line every
/// logging step, all evaluations, the samples as text. Where the disk is full, points are missing.
/// </summary>
internal sealed class TensorBoardLog(int loggingSteps, TimeProvider time) : IRunObserver, IDisposable
{
    public const string FolderName = "tensorboard";

    private EventFile? _file;
    private string? _folder;

    public void Observe(RunProtocol.IEvent happened)
    {
        try
        {
            if (happened is RunProtocol.Started started)
                _folder = Path.Combine(started.RunDirectory, FolderName);
            Write(happened);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Points are missing.
        }
    }

    public void Dispose() => _file?.Dispose();

    private void Write(RunProtocol.IEvent happened)
    {
        switch (happened)
        {
            case RunProtocol.Started started:
                File.Begin(started.Step + 1);
                break;
            case TrainerProtocol.StepCompleted step when step.Step % loggingSteps == 0 || step.Step == 1:
                File.Scalars(step.Step,
                    ("train/loss", step.Loss), ("train/learning_rate", step.LearningRate), ("train/grad_norm", step.GradientNorm),
                    ("train/tokens_per_second", step.TokensPerSecond), ("train/num_input_tokens_seen", step.TotalTokens),
                    ("train/data_wait_seconds", step.DataWait.TotalSeconds));
                break;
            case TrainerProtocol.EvaluationCompleted evaluation:
                File.Scalars(evaluation.Step, ("eval/loss", evaluation.Loss), ("eval/perplexity", evaluation.Perplexity));
                break;
            case TrainerProtocol.SampleGenerated sample:
                File.Text(sample.Step, "sample", sample.Text);
                break;
        }
    }

    /// <summary>Only what follows <see cref="RunProtocol.Started"/> is written.</summary>
    private EventFile File => _file ??= new EventFile(_folder!, time);
}
