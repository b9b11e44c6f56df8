using System.Text.Json;

namespace Streaming.Actors;

/// <summary><c>cursors.jsonl</c>: where the text stood at each checkpoint, which stays when the checkpoint is pruned. Not thread-safe.</summary>
internal sealed class CursorJournal : IDisposable
{
    /// <summary>A cursor names every file of its sources: where there are thousands of files, checkpoints alone keep it.</summary>
    private const int LongestCursor = 1 << 16;

    private readonly StepJournal _lines;
    private long _last = -1;

    public CursorJournal(string path, long step) =>
        _lines = StepJournal.Open(path, step, line => _last = line.GetProperty("step").GetInt64());

    public void Write(long step, JsonElement cursor)
    {
        if (step == _last || cursor.GetRawText().Length > LongestCursor)
            return;
        _lines.Write(json =>
        {
            json.WriteNumber("step", step);
            json.WritePropertyName("cursor");
            cursor.WriteTo(json);
        });
        _last = step;
    }

    public void Dispose() => _lines.Dispose();
}
