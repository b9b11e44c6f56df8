using System.Text.Json;

namespace Streaming.Actors;

/// <summary><c>metrics.jsonl</c>: a line a step and a line an evaluation. Not thread-safe.</summary>
internal sealed class MetricsJournal : IDisposable
{
    private readonly StepJournal _lines;

    private long? _lastStep;

    private MetricsJournal(string path, long step, Action<string>? notice)
    {
        var isThere = File.Exists(path); // a run that begins with the checkpoint of another has none
        _lines = StepJournal.Open(path, step, Note, notice);
        if (isThere && (_lastStep ?? 0) < step)
            notice?.Invoke($"{path} ends with step {_lastStep ?? 0}, and the run goes on after step {step}: the lines between are missing");
    }

    /// <summary>The last step whose evaluation the journal holds.</summary>
    public long? LastEvaluation { get; private set; }

    /// <summary>The loss of that evaluation.</summary>
    public double? LastEvaluationLoss { get; private set; }

    /// <summary>The least loss of all evaluations.</summary>
    public double? LeastEvaluationLoss { get; private set; }

    /// <inheritdoc cref="StepJournal.Open"/>
    public static MetricsJournal Open(string path, long step, Action<string>? notice = null) => new(path, step, notice);

    public void Write(TrainerProtocol.StepCompleted step) => _lines.Write(json =>
    {
        json.WriteNumber("step", step.Step);
        json.WriteNumber("loss", step.Loss);
        json.WriteNumber("gradient_norm", float.IsFinite(step.GradientNorm) ? step.GradientNorm : -1);
        json.WriteNumber("learning_rate", step.LearningRate);
        json.WriteNumber("tokens", step.TotalTokens);
        json.WriteNumber("tokens_per_second", Math.Round(step.TokensPerSecond, 1));
        json.WriteNumber("step_seconds", Math.Round(step.Elapsed.TotalSeconds, 6));
        json.WriteNumber("data_wait_seconds", Math.Round(step.DataWait.TotalSeconds, 6));
        if (step.Skipped)
            json.WriteBoolean("skipped", true);
    });

    public void Write(TrainerProtocol.EvaluationCompleted evaluation)
    {
        _lines.Write(json =>
        {
            json.WriteNumber("step", evaluation.Step);
            json.WriteNumber("eval_loss", evaluation.Loss);
            json.WriteNumber("eval_perplexity", Math.Min(evaluation.Perplexity, double.MaxValue));
            json.WriteNumber("eval_batches", evaluation.Batches);
        });
        Note(evaluation.Step, evaluation.Loss);
    }

    /// <inheritdoc cref="StepJournal.Flush"/>
    public void Flush() => _lines.Flush();

    public void Dispose() => _lines.Dispose();

    private void Note(JsonElement line)
    {
        var step = line.GetProperty("step").GetInt64();
        if (line.TryGetProperty("eval_loss", out var loss) && loss.ValueKind == JsonValueKind.Number && loss.TryGetDouble(out var value))
            Note(step, value);
        else
            _lastStep = step;
    }

    private void Note(long step, double loss)
    {
        (LastEvaluation, LastEvaluationLoss) = (step, loss);
        LeastEvaluationLoss = LeastEvaluationLoss is { } least ? Math.Min(least, loss) : loss;
    }
}
