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
    /// <exception cref="SourceException">The text is not there any more, is another, or has no such step.</exception>
    public static async Task<IReadOnlyList<TokenBatch>> OfStepAsync(
        string run, PipelineOptions data, int batchesPerStep, long step, IMaterializer materializer, CancellationToken cancellation = default)
    {
        var begin = Candidates(run).Where(candidate => candidate.Step < step && candidate.IsReadable).MaxBy(candidate => candidate.Step) ?? new Candidate(0, null, null);
        // The text itself, not its cache: the first epoch is the same, and the run may be writing the cache just now.
        var options = data with
        {
            RecordDocuments = true,
            TokenCache = null,
            Sources = [.. data.Sources.Select(source => source with { Cleaning = source.Cleaning is { } rules ? rules with { RejectedFile = null } : null })],
        };
        var cursor = begin.Cursor is { } stored ? stored with { Text = stored.Text with { CachedBlock = null } } : null;
        using var text = BatchStream.Start(options, Split.Train, materializer, cursor, stateFolder: begin.StateFolder);
        var skipped = ReadSkips(run);
        for (var at = begin.Step + 1; ; at++)
        {
            for (var left = skipped.GetValueOrDefault(at); left > 0; left--)
                text.Recycle(await NextAsync(text, at, cancellation).ConfigureAwait(false));
            var batches = new List<TokenBatch>();
            for (var index = 0; index < batchesPerStep; index++)
            {
                var batch = await NextAsync(text, at, cancellation).ConfigureAwait(false);
                if (at == step)
                    batches.Add(batch);
                else
                    text.Recycle(batch);
            }
            if (at < step)
                continue;
            if (data.TokenCache is not null && batches[^1].Cursor.Sources.Any(source => source.Place.Position.Epoch > 0))
                throw new SourceException($"step {step} is of a later epoch, which came from the token cache in an order of blocks of its own; give a step of the first epoch.");
            return batches;
        }
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
    private static IEnumerable<Candidate> Candidates(string run)
    {
        var cursors = Path.Combine(run, "cursors.jsonl");
        if (File.Exists(cursors))
        {
            foreach (var line in File.ReadLines(cursors))
            {
                if (TryParse(line) is { } json && json.TryGetProperty("cursor", out var cursor))
                    yield return new Candidate(json.GetProperty("step").GetInt64(), cursor.Deserialize<PipelineCursor>(s_format), null);
            }
        }
        var checkpoints = Path.Combine(run, "checkpoints");
        if (!Directory.Exists(checkpoints))
            yield break;
        foreach (var folder in Directory.GetDirectories(checkpoints, "step-*"))
        {
            if (TryOpen(folder) is { } checkpoint)
                yield return new Candidate(checkpoint.Training.Step, TrainingSession.CursorOf(checkpoint), checkpoint.PipelinePath);
        }
    }

    private static Dictionary<long, long> ReadSkips(string run)
    {
        var path = Path.Combine(run, "skipped.jsonl");
        return !File.Exists(path)
            ? []
            : File.ReadLines(path).Select(TryParse).OfType<JsonElement>()
                .ToDictionary(line => line.GetProperty("step").GetInt64(), line => line.GetProperty("batches").GetInt64());
    }

    private static JsonElement? TryParse(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null; // being written just now
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
    private sealed record Candidate(long Step, PipelineCursor? Cursor, string? StateFolder)
    {
        public bool IsReadable => StateFolder is not null || Cursor is null || Cursor.Sources.All(source => source.Place.DuplicateEntries == 0);
    }
}
