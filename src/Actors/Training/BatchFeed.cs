using System.Diagnostics;
using Streaming.Streams.Batches;
using Streaming.Streams.Sources;

namespace Streaming.Actors;

/// <summary>
/// The bounded channel as the trainer's thread reads it: blocking, with a short patience, so that the thread comes back for
/// its commands while the text is slow. Not thread-safe.
/// </summary>
/// <param name="text">The text.</param>
/// <param name="patience">How long a batch is waited for at a time.</param>
/// <param name="faults">What goes wrong by plan; null where nothing does.</param>
internal sealed class BatchFeed(BatchStream text, TimeSpan patience, FaultPlan? faults = null)
{
    // The wait under way, kept across calls: a wait that ran out of patience is taken up again instead of piling up waiters.
    private Task<bool>? _waiting;

    private TimeSpan _wait;

    /// <summary>Batches that lie ready.</summary>
    public int Depth => text.Reader.Count;

    /// <summary>The text is used up: no batch will come.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Takes the next batch, waiting for it no longer than the patience.</summary>
    /// <param name="step">The step that it is for.</param>
    /// <returns>The batch; null where none came in time, or none will come (<see cref="HasEnded"/>).</returns>
    /// <exception cref="Exception">What the text path failed with, once everything before the failure is taken.</exception>
    public TokenBatch? Take(long step)
    {
        if (faults is not null)
            Fail(faults, step);
        if (text.Reader.TryRead(out var batch))
            return batch;
        var began = Stopwatch.GetTimestamp();
        try
        {
            _waiting ??= text.Reader.WaitToReadAsync().AsTask();
            if (Task.WaitAny([_waiting], patience) < 0)
                return null;
            var finished = _waiting;
            _waiting = null;
            HasEnded = !finished.GetAwaiter().GetResult();
            return text.Reader.TryRead(out batch) ? batch : null;
        }
        finally
        {
            _wait += Stopwatch.GetElapsedTime(began);
        }
    }

    private static void Fail(FaultPlan faults, long step)
    {
        if (faults.Happens(FaultKind.SourceOutage, step))
            throw new SourceOutageException("https://example.org/text.xz cannot be read past byte 1000: nothing came for 60 s, by plan; check the server and the network.", new IOException("by plan"));
        if (faults.Happens(FaultKind.DamagedArchive, step))
            throw new SourceException("text.xz cannot be read past line 1000 (byte 10000 of its text): the archive is damaged by plan; replace the file or take it out of the sources.");
        if (faults.Happens(FaultKind.Tokenizer, step))
            throw new InvalidOperationException("the tokenizer failed by plan");
    }

    /// <summary>The tokens of a batch are used up: their memory goes back to the text path.</summary>
    public void Recycle(TokenBatch batch) => text.Recycle(batch);

    /// <inheritdoc cref="BatchStream.StateAt"/>
    public IReadOnlyList<PipelineState> StateAt(PipelineCursor cursor) => text.StateAt(cursor);

    /// <summary>The time spent waiting since the last call.</summary>
    public TimeSpan TakeWait()
    {
        var wait = _wait;
        _wait = TimeSpan.Zero;
        return wait;
    }
}
