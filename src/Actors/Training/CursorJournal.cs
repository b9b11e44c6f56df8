using System.Text.Json;

namespace Streaming.Actors;

/// <summary>
/// <c>cursors.jsonl</c>: where the text stood at each checkpoint, and how the steps up to there were made of it; stays when the checkpoint is
/// pruned. Not thread-safe.
/// </summary>
internal sealed class CursorJournal : IDisposable
{
    /// <summary>A cursor names every file of its sources: where there are thousands of files, checkpoints alone keep it.</summary>
    private const int LongestCursor = 1 << 16;

    private readonly StepJournal _lines;
    private long _last = -1;

    public CursorJournal(string path, long step, Action<string>? notice = null) =>
        _lines = StepJournal.Open(path, step, line => _last = line.GetProperty("step").GetInt64(), notice);

    public void Write(long step, JsonElement cursor, StepShape shape)
    {
        if (step == _last || cursor.GetRawText().Length > LongestCursor)
            return;
        _lines.Write(json =>
        {
            json.WriteNumber("step", step);
            json.WriteNumber("micro_batches", shape.MicroBatches);
            json.WriteNumber("rows", shape.Rows);
            json.WriteNumber("block_size", shape.BlockSize);
            json.WritePropertyName("cursor");
            cursor.WriteTo(json);
        });
        _last = step;
    }

    public void Dispose() => _lines.Dispose();
}

/// <summary>What a step takes of the text.</summary>
/// <param name="MicroBatches">Batches.</param>
/// <param name="Rows">Sequences in each.</param>
/// <param name="BlockSize">Tokens of each.</param>
internal readonly record struct StepShape(int MicroBatches, int Rows, int BlockSize)
{
    public static StepShape Of(RunOptions options) => new(options.Training.GradientAccumulationSteps, options.Data.Rows, options.Data.BlockSize);
}
