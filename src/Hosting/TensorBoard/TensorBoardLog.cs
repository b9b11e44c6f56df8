using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.TensorBoard;

/// <summary>
/// The run for TensorBoard, under the names that Transformers' Trainer uses: <c>tensorboard --logdir runs</c>. A line every
/// logging step, all evaluations, the samples as text. A full disk costs this log, not the run.
/// </summary>
internal sealed class TensorBoardLog(int loggingSteps, TimeProvider time) : IRunObserver, IDisposable
{
    public const string FolderName = "tensorboard";

    private EventFile? _file;
    private bool _failed;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (_failed)
            return;
        try
        {
            Write(happened);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _failed = true;
            _file?.Dispose();
        }
    }

    public void Dispose() => _file?.Dispose();

    private void Write(RunProtocol.IEvent happened)
    {
        switch (happened)
        {
            case RunProtocol.Started started:
                _file ??= new EventFile(Path.Combine(started.RunDirectory, FolderName), time);
                _file.Begin(started.Step + 1);
                _file.Flush();
                break;
            case TrainerProtocol.StepCompleted step when step.Step % loggingSteps == 0 || step.Step == 1:
                _file?.Scalars(step.Step,
                    ("train/loss", step.Loss), ("train/learning_rate", step.LearningRate), ("train/grad_norm", step.GradientNorm),
                    ("train/tokens_per_second", step.TokensPerSecond), ("train/num_input_tokens_seen", step.TotalTokens),
                    ("train/data_wait_seconds", step.DataWait.TotalSeconds));
                _file?.Flush();
                break;
            case TrainerProtocol.EvaluationCompleted evaluation:
                _file?.Scalars(evaluation.Step, ("eval/loss", evaluation.Loss), ("eval/perplexity", evaluation.Perplexity));
                _file?.Flush();
                break;
            case TrainerProtocol.SampleGenerated sample:
                _file?.Text(sample.Step, "sample", sample.Text);
                _file?.Flush();
                break;
        }
    }
}
