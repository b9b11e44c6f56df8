using Streaming.Model.Checkpoints;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>
/// What was left out of the text: counted for the checkpoints, and <c>skipped.jsonl</c> with the documents, a line for each place. Not
/// thread-safe.
/// </summary>
/// <param name="path">The file.</param>
/// <param name="step">Steps taken.</param>
/// <param name="before">What had been left out up to then.</param>
/// <param name="notice">As <see cref="StepJournal.Open"/> has it.</param>
internal sealed class SkipRecord(string path, long step, IReadOnlyList<SkippedBatches> before, Action<string>? notice = null) : IDisposable
{
    private readonly StepJournal _lines = StepJournal.Open(path, step, notice: notice);
    private readonly List<SkippedBatches> _skipped = [.. before];
    private readonly List<BatchDocument> _documents = [];
    private SkippedBatches? _current;

    /// <summary>Batches left out before a step.</summary>
    public long Before(long step) => _current?.Step == step ? _current.Batches : 0;

    /// <summary>Everything left out before a step or an earlier one.</summary>
    public IReadOnlyList<SkippedBatches> UpTo(long step) => [.. _skipped.Where(skip => skip.Step <= step)];

    public void Add(long step, TokenBatch batch, string reason)
    {
        _current = new(step, Before(step) + 1, reason);
        _documents.AddRange(batch.Documents ?? []);
    }

    /// <summary>Writes down what was left out before a step.</summary>
    /// <returns>Null where nothing was, or it is written already.</returns>
    public TrainerProtocol.DataSkipped? End(long step)
    {
        if (_current is not { } skip || skip.Step != step || _skipped.Contains(skip))
            return null;
        _skipped.Add(skip);
        _lines.Write(json =>
        {
            json.WriteNumber("step", skip.Step);
            json.WriteNumber("batches", skip.Batches);
            json.WriteString("reason", skip.Reason);
            json.WriteStartArray("documents");
            foreach (var document in _documents)
                document.WriteTo(json);
            json.WriteEndArray();
        });
        _documents.Clear();
        return new(skip.Step, skip.Batches, skip.Reason);
    }

    public void Dispose() => _lines.Dispose();
}
