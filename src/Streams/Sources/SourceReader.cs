using System.Diagnostics;
using Streaming.Streams.Compression;
using Streaming.Streams.Measurement;
using Streaming.Streams.Text;

namespace Streaming.Streams.Sources;

/// <summary>
/// Reads all sources, epoch after epoch, as batches of lines. A batch never crosses a file, and which lines it holds
/// follows from where it starts.
/// </summary>
internal sealed class SourceReader(
    IReadOnlyList<SourceFile> files, int epochs, SourcePosition start, int batchBytes, LineBatchPool pool, PipelineStatistics statistics)
{
    /// <summary>The batches from the start on, read as they are asked for.</summary>
    /// <exception cref="SourceException">A source cannot be read to its end, or the sources are empty and to be read for ever.</exception>
    public IEnumerable<LineBatch> Read(CancellationToken stop)
    {
        var position = start;
        for (; epochs == 0 || position.Epoch < epochs; position = new SourcePosition(position.Epoch + 1, 0, 0, 0))
        {
            var anyLine = position != new SourcePosition(position.Epoch, 0, 0, 0);
            for (; position.File < files.Count; position = new SourcePosition(position.Epoch, position.File + 1, 0, 0))
            {
                foreach (var batch in ReadFile(position, stop))
                {
                    anyLine = true;
                    yield return batch;
                }
                if (stop.IsCancellationRequested)
                    yield break;
            }
            if (!anyLine && epochs == 0)
                throw new SourceException($"the sources hold no text ({string.Join(", ", files.Take(3).Select(file => file.Name))}); name files with lines of text.");
        }
    }

    private IEnumerable<LineBatch> ReadFile(SourcePosition position, CancellationToken stop)
    {
        var file = files[position.File];
        using var text = OpenAt(file, position, stop);
        var lines = new LineReader(text, position.Offset);
        var (invalidBytes, cutLines) = (0L, 0L);
        while (!stop.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            var batch = pool.Rent();
            batch.Position = position;
            try
            {
                while (lines.Offset - position.Offset < batchBytes && lines.Read(batch.Lines)) { }
            }
            catch (Exception exception) when (exception is not SourceException)
            {
                throw Unreadable(file, lines.Offset, position.Line + batch.Lines.Count, exception);
            }
            batch.SourceBytes = lines.Offset - position.Offset;
            position = position with { Offset = lines.Offset, Line = position.Line + batch.Lines.Count };
            statistics.Read.Add(batch.SourceBytes, batch.Lines.Count, Stopwatch.GetElapsedTime(began));
            statistics.AddInvalid(lines.InvalidBytes - invalidBytes, lines.CutLines - cutLines);
            (invalidBytes, cutLines) = (lines.InvalidBytes, lines.CutLines);
            if (batch.Lines.Count == 0)
            {
                pool.Return(batch);
                yield break;
            }
            yield return batch;
        }
    }

    /// <summary>The text of a file from the position on. Plain files are sought in, archives are unpacked up to there.</summary>
    private static Stream OpenAt(SourceFile file, SourcePosition position, CancellationToken stop)
    {
        var bytes = file.Open();
        var reached = 0L;
        try
        {
            var input = new InputBuffer(bytes);
            var format = CompressionFormats.Detect(input);
            if (format == CompressionFormat.Plain && bytes.CanSeek)
            {
                if (bytes.Length < position.Offset)
                    throw TooShort(file, position.Offset);
                if (position.Offset == 0)
                    return input;
                bytes.Position = position.Offset;
                return new InputBuffer(bytes);
            }
            var text = CompressionFormats.Open(input, format);
            Skip(file, text, position.Offset, ref reached, stop);
            return text;
        }
        catch (Exception exception)
        {
            bytes.Dispose();
            if (exception is SourceException)
                throw;
            throw Unreadable(file, reached, 0, exception);
        }
    }

    private static void Skip(SourceFile file, Stream text, long count, ref long reached, CancellationToken stop)
    {
        var scratch = count > 0 ? new byte[1 << 16] : [];
        while (reached < count && !stop.IsCancellationRequested)
        {
            var read = text.Read(scratch, 0, (int)Math.Min(scratch.Length, count - reached));
            if (read == 0)
                throw TooShort(file, count);
            reached += read;
        }
    }

    private static SourceException TooShort(SourceFile file, long offset) => new(
        $"{file.Name} ends before byte {offset} of its text, where the cursor stands; give the text that the run began with, or start without the cursor.");

    private static SourceException Unreadable(SourceFile file, long offset, long line, Exception exception)
    {
        var reason = exception switch
        {
            EndOfStreamException => "the archive is cut short",
            InvalidDataException => exception.Message,
            ZstdSharp.ZstdException => $"the compressed data are damaged ({exception.Message})",
            _ => exception.Message.TrimEnd('.'),
        };
        return new SourceException(
            $"{file.Name} cannot be read past line {line} (byte {offset} of its text): {reason}; replace the file or take it out of the sources.", exception);
    }
}
