using System.Globalization;
using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Terminal;

/// <summary>What the user reads at the end of a run: what came out, where it lies and how to go on.</summary>
internal sealed class RunSummary(Screen screen, RunOptions options) : IRunObserver
{
    private TrainerProtocol.StepCompleted? _first, _last;
    private TrainerProtocol.EvaluationCompleted? _evaluation;
    private string? _checkpoint;
    private long _tokens;
    private TimeSpan _elapsed;

    public void Observe(RunProtocol.IEvent happened)
    {
        switch (happened)
        {
            case RunProtocol.Started started:
                _checkpoint ??= started.Checkpoint;
                break;
            case TrainerProtocol.StepCompleted step:
                _first ??= step;
                _last = step;
                _tokens += step.Tokens;
                _elapsed += step.Elapsed;
                break;
            case TrainerProtocol.EvaluationCompleted evaluation:
                _evaluation = evaluation;
                break;
            case CheckpointProtocol.Written written:
                _checkpoint = written.Path;
                break;
        }
    }

    public void Print(RunOutcome outcome)
    {
        screen.ClearProgress();
        if (outcome is RunOutcome.Failed failed)
        {
            screen.WriteError($"streaming: {Sentence(failed)}");
            if (failed.Bug is { } bug)
                screen.WriteError(bug.ToString());
        }
        else if (screen.Format != LogFormat.Json)
        {
            screen.WriteLine();
            screen.WriteLine($"{(outcome is RunOutcome.Stopped ? "stopped" : "done")}: {Sentence(outcome)}");
        }
        if (screen.Format == LogFormat.Json)
            return; // all of it is in the events already
        if (_first is { } first && _last is { } last)
        {
            screen.WriteLine($"  loss           {Quantity.Fixed(first.Loss)} at step {first.Step}, {Quantity.Fixed(last.Loss)} at step {last.Step}");
            if (_evaluation is { } evaluation)
                screen.WriteLine($"  perplexity     {evaluation.Perplexity.ToString("#,0.00", CultureInfo.InvariantCulture)} on held-out text after step {evaluation.Step}");
            screen.WriteLine($"  trained on     {Quantity.Count(_tokens)} tokens in {Quantity.Time(_elapsed)}, {Quantity.Count(_tokens / Math.Max(_elapsed.TotalSeconds, 1e-9))} tokens/s");
        }
        if (_checkpoint is null)
            return;
        screen.WriteLine($"  checkpoint     {_checkpoint} ({(options.Training.Lora is null ? "Transformers loads it as it is" : "PEFT loads it as it is, export merges it")})");
        screen.WriteLine($"  metrics        {Path.Combine(options.RunDirectory, "metrics.jsonl")}");
        screen.WriteLine($"  configuration  {Path.Combine(options.RunDirectory, ResolvedConfiguration.FileName)}");
        PrintNext(outcome);
    }

    private void PrintNext(RunOutcome outcome)
    {
        var config = Invocation.Quote(Invocation.Shortest(Path.Combine(options.RunDirectory, ResolvedConfiguration.FileName), Environment.CurrentDirectory));
        screen.WriteLine("how to go on");
        screen.WriteLine(outcome is RunOutcome.Completed
            ? $"  train longer   {Invocation.Name} train --config {config} --set training.max-steps={2 * options.Training.MaxSteps}"
            : $"  continue       {Invocation.Name} train --config {config}");
        screen.WriteLine($"  your own text  {Invocation.Name} config --defaults > config.hocon, edit it, {Invocation.Name} train --config config.hocon");
    }

    private static string Sentence(RunOutcome outcome) => outcome.Sentence.TrimEnd('.') + ".";
}
