using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Streaming.Actors;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Live;

/// <summary>An event of the run, as the event log, the page and JSON logs tell it. Steps are none: they are metrics.</summary>
/// <param name="Time">When it was seen.</param>
/// <param name="Step">Steps taken, where the event says it or the last one is known; null before the run has begun.</param>
/// <param name="Kind"><c>started</c>, <c>evaluation</c>, <c>checkpoint</c>, <c>command</c>, …</param>
/// <param name="Level">How important it is.</param>
/// <param name="Sentence">For people.</param>
internal sealed record RunEvent(DateTimeOffset Time, long? Step, string Kind, LogLevel Level, string Sentence)
{
    /// <summary>Further fields: numbers, strings.</summary>
    public IReadOnlyList<(string Name, object Value)> Fields { get; init; } = [];

    /// <summary>What to write of an event; null where it is not worth a line.</summary>
    /// <param name="happened">The event.</param>
    /// <param name="time">Now.</param>
    /// <param name="step">The last step; null where none is known.</param>
    public static RunEvent? Of(RunProtocol.IEvent happened, DateTimeOffset time, long? step) => happened switch
    {
        RunProtocol.Started e => new(time, e.Step, "started", LogLevel.Information,
            e.Checkpoint is null ? $"training begins: {e.MaxSteps} steps, {e.Engine}" : $"training goes on after step {e.Step} of {e.MaxSteps} from {Path.GetFileName(e.Checkpoint)}, {e.Engine}")
        { Fields = [("parameters", e.ParameterCount), ("max_steps", e.MaxSteps)] },
        TrainerProtocol.EvaluationCompleted e => new(time, e.Step, "evaluation", LogLevel.Information,
            string.Create(CultureInfo.InvariantCulture, $"validation loss {e.Loss:0.0000}, perplexity {e.Perplexity:#,0.00} on {e.Batches} held-out batches"))
        { Fields = [("loss", e.Loss), ("perplexity", Math.Min(e.Perplexity, double.MaxValue)), ("seconds", e.Elapsed.TotalSeconds)] },
        CheckpointProtocol.Written e => new(time, e.Step, "checkpoint", LogLevel.Information,
            $"checkpoint {Path.GetFileName(e.Path)}: {Quantity.Bytes(e.Bytes)} in {Quantity.Time(e.Elapsed)}")
        { Fields = [("path", e.Path), ("bytes", e.Bytes), ("seconds", e.Elapsed.TotalSeconds)] },
        CheckpointProtocol.Failed e => new(time, e.Step, "checkpoint-failed", LogLevel.Error, $"the checkpoint was not written: {e.Reason}"),
        TrainerProtocol.SampleGenerated e => new(time, e.Step, "sample", LogLevel.Information, e.Text) { Fields = [("prompt", e.Prompt), ("text", e.Text)] },
        RunProtocol.RolledBack e => new(time, step, "rollback", LogLevel.Warning, $"{e.Reason}; going back to the last checkpoint ({e.Rollback} of {e.Limit})") { Fields = [("reason", e.Kind)] },
        TrainerProtocol.DataSkipped e => new(time, e.Step, "data-skipped", LogLevel.Warning, $"{e.Batches} batches were left out: {e.Reason}") { Fields = [("batches", e.Batches)] },
        TrainerProtocol.EvaluationFailed e => new(time, e.Step, "evaluation-failed", LogLevel.Error, $"the evaluation failed: {e.Reason}"),
        RunProtocol.Noticed e => new(time, step, "notice", LogLevel.Warning, e.Sentence),
        ControlProtocol.Commanded e => new(time, step, "command", LogLevel.Information, $"{e.What}, asked for by {e.By}") { Fields = [("by", e.By), ("what", e.What)] },
        ControlProtocol.Paused e => new(time, e.Step, "paused", LogLevel.Information, $"paused after step {e.Step}"),
        ControlProtocol.Resumed e => new(time, e.Step, "resumed", LogLevel.Information, $"resumed after step {e.Step}"),
        ControlProtocol.Changed e => new(time, e.Step, "changed", LogLevel.Information, "in force: " + string.Join(", ", RunSetting.All.Select(s => $"{s.Name} = {s.Write(s.Read(e.Options))}")))
        { Fields = [.. RunSetting.All.Select(s => (s.Name.Replace('-', '_'), (object)s.Write(s.Read(e.Options))))] },
        RunProtocol.Ended e => new(time, step, "ended", e.Outcome is RunOutcome.Failed ? LogLevel.Critical : LogLevel.Information, e.Outcome.Sentence) { Fields = [("exit_code", e.Outcome.ExitCode)] },
        _ => null,
    };

    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("time", Time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        json.WriteString("level", Level.ToString().ToLowerInvariant());
        if (Step is { } step)
            json.WriteNumber("step", step);
        json.WriteString("kind", Kind);
        json.WriteString("message", Sentence);
        foreach (var (name, value) in Fields)
        {
            switch (value)
            {
                case string text:
                    json.WriteString(name, text);
                    break;
                case double number when double.IsFinite(number):
                    json.WriteNumber(name, number);
                    break;
                case double:
                    json.WriteNull(name);
                    break;
                case int number:
                    json.WriteNumber(name, number);
                    break;
                case long number:
                    json.WriteNumber(name, number);
                    break;
            }
        }
        json.WriteEndObject();
    }
}
