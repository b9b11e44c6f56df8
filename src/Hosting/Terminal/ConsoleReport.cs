using Microsoft.Extensions.Logging;
using Streaming.Actors;
using Streaming.Hosting.Runs;
using Streaming.Model.Measurement;

namespace Streaming.Hosting.Terminal;

/// <summary>Tells on the console what the run does: progress in place on a terminal, a line every few steps elsewhere, a line for every other event.</summary>
internal sealed class ConsoleReport(Screen screen, int loggingSteps) : IRunObserver
{
    private readonly ProgressMeter _meter = new(loggingSteps);
    private long _first; // steps before this process

    public void Observe(RunProtocol.IEvent happened)
    {
        switch (happened)
        {
            case RunProtocol.Started started:
                _meter.MaxSteps = started.MaxSteps;
                _first = started.Step;
                screen.WriteLine($"model: {Quantity.Short(started.ParameterCount)} parameters; computed by {started.Engine}");
                screen.WriteLine(started.Checkpoint is null
                    ? $"run: {started.RunDirectory}, {started.MaxSteps} steps from the beginning"
                    : $"run: {started.RunDirectory}, going on after step {started.Step} of {started.MaxSteps} from {Path.GetFileName(started.Checkpoint)}");
                break;
            case TrainerProtocol.StepCompleted step:
                Observe(step);
                break;
            case TrainerProtocol.EvaluationCompleted evaluation:
                screen.WriteLine($"evaluation after step {evaluation.Step}: loss {Quantity.Fixed(evaluation.Loss)}, perplexity {evaluation.Perplexity.ToString("#,0.00", System.Globalization.CultureInfo.InvariantCulture)} on {evaluation.Batches} held-out batches ({Quantity.Time(evaluation.Elapsed)})");
                break;
            case CheckpointProtocol.Written written:
                screen.WriteLine($"checkpoint after step {written.Step}: {written.Path} ({Quantity.Bytes(written.Bytes)} in {Quantity.Time(written.Elapsed)}, {Quantity.Bytes(written.BytesPerSecond)}/s; training stood still for {written.Stall.TotalMilliseconds.ToString("0.0", System.Globalization.CultureInfo.InvariantCulture)} ms)");
                break;
            case CheckpointProtocol.Failed failed:
                screen.WriteError($"streaming: the checkpoint after step {failed.Step} was not written: {failed.Reason}");
                break;
            case TrainerProtocol.DataSkipped skipped:
                screen.WriteNotice($"{skipped.Batches} batches before step {skipped.Step} were left out, because {skipped.Reason}; skipped.jsonl names their documents");
                break;
            case TrainerProtocol.EvaluationFailed failed:
                screen.WriteError($"streaming: the evaluation after step {failed.Step} failed: {failed.Reason}");
                break;
            case TrainerProtocol.SampleGenerated sample:
                screen.WriteLine($"sample after step {sample.Step}: {OneLine(sample.Text)}");
                break;
            case RunProtocol.RolledBack rolledBack:
                _meter.Reset();
                screen.WriteNotice($"{rolledBack.Reason}; going back to the last checkpoint ({rolledBack.Rollback} of {rolledBack.Limit})");
                break;
            case RunProtocol.Noticed noticed:
                screen.WriteNotice(noticed.Sentence);
                break;
            case ControlProtocol.Commanded commanded:
                screen.WriteLine($"{commanded.What}, asked for by {commanded.By}");
                break;
            case ControlProtocol.Paused paused:
                screen.WriteLine($"paused after step {paused.Step}: streaming resume goes on");
                break;
            case ControlProtocol.Resumed resumed:
                screen.WriteLine($"resumed after step {resumed.Step}");
                break;
            case ControlProtocol.Changed changed:
                _meter.MaxSteps = changed.Options.Training.MaxSteps;
                break;
            case RunProtocol.Ended:
                screen.ClearProgress();
                break;
        }
    }

    private void Observe(TrainerProtocol.StepCompleted step)
    {
        _meter.Add(step);
        if (step.Step == _first + 1 && StartTrace.Result is { } start)
            screen.WriteLine(FormattableString.Invariant($"first step after {start.FirstStep:F1} s"));
        if (screen.IsLive)
            screen.ShowProgress(_meter.Read().Fields);
        else if (screen.Level <= LogLevel.Debug || step.Step % loggingSteps == 0 || step.Step == _meter.MaxSteps || step.Step == _first + 1)
            screen.WriteLine(string.Join("  ", _meter.Read().Fields));
    }

    /// <summary>Line ends and other control characters of generated text must not reach a terminal.</summary>
    internal static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
