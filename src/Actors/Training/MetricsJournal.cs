using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Streaming.Actors;

/// <summary>
/// <c>metrics.jsonl</c>: one object a line, one line a step and one an evaluation. Opened for a run at step S it forgets what
/// was written beyond S (the steps after the last checkpoint of a killed process), so a resumed run leaves neither gap nor
/// repeat. Not thread-safe.
/// </summary>
internal sealed class MetricsJournal : IDisposable
{
    private readonly FileStream _file;
    private readonly ArrayBufferWriter<byte> _line = new(256);

    private MetricsJournal(FileStream file) => _file = file;

    /// <summary>The last step whose evaluation the journal holds.</summary>
    public long? LastEvaluation { get; private set; }

    /// <summary>Opens or creates the file and cuts it behind the last line whose step is at most <paramref name="step"/>.</summary>
    public static MetricsJournal Open(string path, long step)
    {
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        var journal = new MetricsJournal(file);
        file.SetLength(journal.FindEnd(step));
        file.Seek(0, SeekOrigin.End);
        return journal;
    }

    public void Write(TrainerProtocol.StepCompleted step) => WriteLine(json =>
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
        WriteLine(json =>
        {
            json.WriteNumber("step", evaluation.Step);
            json.WriteNumber("eval_loss", evaluation.Loss);
            json.WriteNumber("eval_perplexity", Math.Min(evaluation.Perplexity, double.MaxValue));
            json.WriteNumber("eval_batches", evaluation.Batches);
        });
        LastEvaluation = evaluation.Step;
    }

    /// <summary>Puts every line on the disk, before a checkpoint that counts on them.</summary>
    public void Sync() => _file.Flush(flushToDisk: true);

    public void Dispose() => _file.Dispose();

    private void WriteLine(Action<Utf8JsonWriter> write)
    {
        _line.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(_line))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        _line.Write("\n"u8);
        _file.Write(_line.WrittenSpan);
        _file.Flush(); // readers follow the file while the run goes on
    }

    private long FindEnd(long step)
    {
        using var reader = new StreamReader(_file, Encoding.UTF8, false, 1 << 16, leaveOpen: true);
        long end = 0;
        while (reader.ReadLine() is { } line)
        {
            end += Encoding.UTF8.GetByteCount(line) + 1;
            if (end > _file.Length || !TryReadStep(line, out var lineStep, out var isEvaluation) || lineStep > step)
                return end - Encoding.UTF8.GetByteCount(line) - 1;
            if (isEvaluation)
                LastEvaluation = lineStep;
        }
        return end;
    }

    private static bool TryReadStep(string line, out long step, out bool isEvaluation)
    {
        step = 0;
        isEvaluation = false;
        try
        {
            using var json = JsonDocument.Parse(line);
            isEvaluation = json.RootElement.TryGetProperty("eval_loss", out _);
            return json.RootElement.TryGetProperty("step", out var value) && value.TryGetInt64(out step);
        }
        catch (JsonException)
        {
            return false; // a line that a killed process left half written
        }
    }
}
