using System.Text.Json;
using Akka.Streams;
using Streaming.Model.Checkpoints;
using Streaming.Streams;
using Streaming.Streams.Batches;
using Streaming.Streams.Sources;

namespace Streaming.Actors;

/// <summary>Which text went into a step of a run: read again from the last cursor before it. Reads the run's folder and changes nothing in it.</summary>
public static class Provenance
{
    private static readonly JsonSerializerOptions s_format = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <param name="run">The run's folder.</param>
    /// <param name="data">The run's text.</param>
    /// <param name="batchesPerStep">Micro-batches a step.</param>
    /// <param name="step">The step, from 1 on.</param>
    /// <param name="materializer">Runs the text path.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>The step's micro-batches, each with its documents.</returns>
    /// <exception cref="SourceException">The run has no such step, or the text is not there any more, is another, or is configured otherwise than it was.</exception>
    public static async Task<IReadOnlyList<TokenBatch>> OfStepAsync(
        string run, PipelineOptions data, int batchesPerStep, long step, IMaterializer materializer, CancellationToken cancellation = default)
    {
        var skipped = ReadSkips(run);
        var candidates = Candidates(run, skipped).ToList();
        var taken = Math.Max(LastStep(run), candidates.Select(candidate => candidate.Step).DefaultIfEmpty().Max());
        if (step > taken)
            throw new SourceException($"the run has taken {taken} steps, and step {step} is not among them.");
        var begin = candidates.Where(candidate => candidate.Step < step && candidate.IsReadable).MaxBy(candidate => candidate.Step) ?? new Candidate(0, null, null);
        var end = candidates.Where(candidate => candidate.Step >= step && candidate.Shape is not null).MinBy(candidate => candidate.Step);
        var shape = end?.Shape ?? new StepShape(batchesPerStep, data.Rows, data.BlockSize);
        // The text itself, not its cache: the first epoch is the same, and the run may be writing the cache just now.
        var options = data with
        {
            RecordDocuments = true,
            TokenCache = null,
            Rows = shape.Rows,
            BlockSize = shape.BlockSize,
            Sources = [.. data.Sources.Select(source => source with { Cleaning = source.Cleaning is { } rules ? rules with { RejectedFile = null } : null })],
        };
        var cursorBefore = begin.Cursor is { } stored ? stored with { Text = stored.Text with { CachedBlock = null } } : null;
        using var text = BatchStream.Start(options, Split.Train, materializer, cursorBefore, stateFolder: begin.StateFolder);
        List<TokenBatch> found = [];
        for (var at = begin.Step + 1; at <= Math.Max(step, end?.Step ?? 0); at++)
        {
            for (var left = skipped.GetValueOrDefault(at); left > 0; left--)
                text.Recycle(await NextAsync(text, at, cancellation).ConfigureAwait(false));
            PipelineCursor? cursor = null;
            for (var index = 0; index < shape.MicroBatches; index++)
            {
                var batch = await NextAsync(text, at, cancellation).ConfigureAwait(false);
                cursor = batch.Cursor;
                if (at == step)
                    found.Add(batch);
                else
                    text.Recycle(batch);
            }
            if (at == step && data.TokenCache is not null && cursor!.Sources.Any(source => source.Place.Position.Epoch > 0))
                throw new SourceException($"step {step} is of a later epoch, which came from the token cache in an order of blocks of its own; give a step of the first epoch.");
            if (at == end?.Step && data.TokenCache is null && cursor != end.Cursor)
                throw new SourceException($"the configuration of the text is not what it was when step {step} was taken: read from step {begin.Step} on, it does not come to where the run was at step {end.Step}; put {run}/config.hocon back to what it was, or look at steps after {end.Step}.");
        }
        return found;
    }

    /// <summary>The step of the last whole line of <c>metrics.jsonl</c>.</summary>
    private static long LastStep(string run)
    {
        var path = Path.Combine(run, "metrics.jsonl");
        if (!File.Exists(path))
            return 0;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Seek(-Math.Min(file.Length, 1 << 16), SeekOrigin.End);
        return JsonLines.Read(file).Where(line => line.IsEnded).Select(line => JsonLines.TryParse(line.Line)).OfType<JsonElement>()
            .Select(line => line.GetProperty("step").GetInt64()).LastOrDefault();
    }

    private static async Task<TokenBatch> NextAsync(BatchStream text, long step, CancellationToken cancellation)
    {
        while (await text.Reader.WaitToReadAsync(cancellation).ConfigureAwait(false))
        {
            if (text.Reader.TryRead(out var batch))
                return batch;
        }
        throw new SourceException($"the text ends before step {step}: the run has no such step.");
    }

    /// <summary>Where the text can be taken up: the cursors that were written down, and the checkpoints, which have the duplicates too.</summary>
    private static IEnumerable<Candidate> Candidates(string run, IReadOnlyDictionary<long, long> skipped)
    {
        var cursors = Path.Combine(run, "cursors.jsonl");
        if (File.Exists(cursors))
        {
            foreach (var line in File.ReadLines(cursors))
            {
                if (TryRead(line, json => new Candidate(json.GetProperty("step").GetInt64(), json.GetProperty("cursor").Deserialize<PipelineCursor>(s_format), null, ReadShape(json))) is { } candidate)
                    yield return candidate;
            }
        }
        var checkpoints = Path.Combine(run, "checkpoints");
        if (!Directory.Exists(checkpoints))
            yield break;
        foreach (var folder in Directory.GetDirectories(checkpoints, "step-*"))
        {
            // One that was abandoned stands where the run has never been since it left text out.
            if (TryOpen(folder) is { } checkpoint && skipped.All(skip => checkpoint.Training.HasLeftOut(skip.Key, skip.Value)))
                yield return new Candidate(checkpoint.Training.Step, TrainingSession.CursorOf(checkpoint), checkpoint.PipelinePath);
        }
    }

    /// <summary>Null for a line that does not say.</summary>
    private static StepShape? ReadShape(JsonElement line) =>
        line.TryGetProperty("micro_batches", out var microBatches) && line.TryGetProperty("rows", out var rows) && line.TryGetProperty("block_size", out var blockSize)
            ? new(microBatches.GetInt32(), rows.GetInt32(), blockSize.GetInt32())
            : null;

    private static Dictionary<long, long> ReadSkips(string run)
    {
        var path = Path.Combine(run, "skipped.jsonl");
        Dictionary<long, long> skipped = [];
        foreach (var line in File.Exists(path) ? File.ReadLines(path) : [])
        {
            if (TryRead(line, json => (object)(json.GetProperty("step").GetInt64(), json.GetProperty("batches").GetInt64())) is (long step, long batches))
                skipped[step] = batches;
        }
        return skipped;
    }

    /// <returns>Null where the line is damaged, or being written just now.</returns>
    private static T? TryRead<T>(string line, Func<JsonElement, T> read)
        where T : class
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return read(json.RootElement);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or NotSupportedException)
        {
            return null;
        }
    }

    private static Checkpoint? TryOpen(string folder)
    {
        try
        {
            return Checkpoint.Open(folder);
        }
        catch (Exception exception) when (exception is Model.ModelException or IOException)
        {
            return null; // damaged, or pruned just now
        }
    }

    /// <param name="Step">Steps taken.</param>
    /// <param name="Cursor">Where the text goes on; null at the beginning.</param>
    /// <param name="StateFolder">What belongs to the cursor; null where it was pruned with its checkpoint or there was none.</param>
    /// <param name="Shape">Of the steps up to there, from the cursor before on; null where it is not known.</param>
    private sealed record Candidate(long Step, PipelineCursor? Cursor, string? StateFolder, StepShape? Shape = null)
    {
        public bool IsReadable => StateFolder is not null || Cursor is null || Cursor.Sources.All(source => source.Place.DuplicateEntries == 0);
    }
}
