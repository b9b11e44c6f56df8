using System.Diagnostics;
using Streaming.Streams.Compression;
using Streaming.Streams.Measurement;
using Streaming.Streams.Records;
using Streaming.Streams.Text;

namespace Streaming.Streams.Sources;

/// <summary>
/// Reads all files of a source, epoch after epoch, as batches of whole documents. A batch never crosses a file, and which
/// documents it holds follows from where it starts.
/// </summary>
internal sealed class SourceReader(
    SourceFiles files, Split split, int epochs, SourcePosition start, int batchBytes, LineBatchPool pool, StageStatistics statistics,
    SourceStatistics counts)
{
    /// <summary>Characters after which a batch ends in any case: offsets need not count bytes of text.</summary>
    private const int MostCharacters = 1 << 20;

    /// <summary>The batches from the start on, read as they are asked for.</summary>
    /// <exception cref="SourceException">A file cannot be read to its end, or the source is empty and to be read for ever.</exception>
    public IEnumerable<LineBatch> Read(CancellationToken stop)
    {
        var position = start;
        while (epochs == 0 || position.Epoch < epochs)
        {
            var anyText = position != files.StartOf(position.Epoch);
            for (SourcePosition? next = position; next is { } place; next = files.After(place))
            {
                foreach (var batch in ReadFile(place, stop))
                {
                    anyText = true;
                    yield return batch;
                }
                if (stop.IsCancellationRequested)
                    yield break;
            }
            if (!anyText && epochs == 0)
                throw new SourceException($"the sources hold no text ({files.Names}); name files with lines of text.");
            position = files.StartOf(position.Epoch + 1);
        }
    }

    private IEnumerable<LineBatch> ReadFile(SourcePosition position, CancellationToken stop)
    {
        var file = files[position.File];
        var format = files.FormatOf(position.File);
        var tail = files.TailOf(position.File);
        using var records = Open(file, format, position, tail, stop);
        position = records.Position;
        var (invalidBytes, cutLines, rejected) = (0L, 0L, 0L);
        while (!stop.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            var batch = pool.Rent();
            (batch.Position, batch.Format) = (position, format);
            try
            {
                while (records.Position.Offset - position.Offset < batchBytes && batch.Lines.Length < MostCharacters && IsOurs(records.Position, tail) && records.Read(batch)) { }
            }
            catch (Exception exception) when (exception is not SourceException)
            {
                throw SourceText.Unreadable(file, records.Position, exception);
            }
            batch.SourceBytes = records.Position.Offset - position.Offset;
            statistics.Add(batch.SourceBytes, records.Position.Line - position.Line, Stopwatch.GetElapsedTime(began));
            counts.AddInvalid(records.InvalidBytes - invalidBytes, records.CutLines - cutLines);
            counts.AddRejected(records.RejectedRecords - rejected, records.FirstRejection, records.TakeRejections());
            (invalidBytes, cutLines, rejected) = (records.InvalidBytes, records.CutLines, records.RejectedRecords);
            if (records.Position == position)
            {
                pool.Return(batch);
                yield break;
            }
            position = records.Position;
            NameSeekPoints(batch, records.SeekPoints);
            yield return batch;
        }
    }

    private static void NameSeekPoints(LineBatch batch, ISeekPoints? seekPoints)
    {
        if (seekPoints is null)
            return;
        batch.Position = batch.Position with { Near = seekPoints.SeekPointBefore(batch.Position.Offset) };
        foreach (ref var document in batch.Documents)
            document.Position = document.Position with { Near = seekPoints.SeekPointBefore(document.Position.Offset) };
    }

    /// <summary>Whether what begins at a place is not held out, or this is the held-out side. A document that began before the tail goes on to its end.</summary>
    private bool IsOurs(SourcePosition place, long? tail) => split == Split.Validation || place.Part > 0 || place.Offset < (tail ?? long.MaxValue);

    private IRecordReader Open(SourceFile file, IRecordFormat format, SourcePosition position, long? tail, CancellationToken stop)
    {
        try
        {
            return split == Split.Validation && position.Offset < tail
                ? format.OpenPast(file, position with { Offset = tail.Value }, stop)
                : format.Open(file, position, stop);
        }
        catch (Exception exception) when (exception is not SourceException)
        {
            throw SourceText.Unreadable(file, position, exception);
        }
    }
}
