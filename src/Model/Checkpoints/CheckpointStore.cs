using System.Globalization;
using System.Text;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Checkpoints;

/// <summary>
/// The checkpoints of one run: <c>checkpoints/step-00001234/</c>, and <c>latest</c> that points at the newest. Works on host
/// copies, so that it runs on any thread; one thread at a time.
/// </summary>
public sealed class CheckpointStore
{
    private const string Prefix = "step-", Aside = ".aside-";

    private readonly string _folder;

    private CheckpointStore(string folder) => _folder = folder;

    /// <summary>Opens the checkpoints of a run, which need not exist yet, and clears away what an interrupted write left.</summary>
    /// <param name="runDirectory">The run's folder.</param>
    /// <param name="model">The model that the run trains.</param>
    /// <exception cref="CheckpointException">The run's checkpoints are of another model.</exception>
    public static CheckpointStore Open(string runDirectory, MistralConfig model)
    {
        var store = new CheckpointStore(Path.Combine(Path.GetFullPath(runDirectory), "checkpoints"));
        foreach (var folder in store.NewestFirst())
        {
            if (TryLoadConfig(folder) is { } stored)
                ModelDifference.Refuse(folder, stored, model);
        }
        if (Directory.Exists(store._folder))
        {
            foreach (var leftover in Directory.GetDirectories(store._folder, Aside + "*"))
                TryDelete(leftover);
        }
        return store;
    }

    /// <summary>Writes a checkpoint: aside, synced to disk, renamed, then <c>latest</c> is moved.</summary>
    /// <param name="snapshot">The engine's state.</param>
    /// <param name="state">Where the run stands.</param>
    /// <param name="tokenizer">The tokenizer's file, copied along; null stores none.</param>
    /// <param name="pipeline">Files of the text path beside its cursor, by name: what writes them, on this thread.</param>
    /// <returns>The checkpoint's folder.</returns>
    /// <exception cref="CheckpointException">It could not be written; what was there before is as it was.</exception>
    public string Write(EngineSnapshot snapshot, TrainingState state, string? tokenizer, IReadOnlyList<(string Name, Action<Stream> Write)>? pipeline = null)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{state.Step:D8}");
        var target = Path.Combine(_folder, name);
        string aside = NewAside(), replaced = NewAside();
        try
        {
            Directory.CreateDirectory(aside);
            WriteFiles(aside, snapshot, state with { WrittenAt = NextTime() }, tokenizer, pipeline ?? []);
            DurableFiles.SyncFolder(aside);
            if (Directory.Exists(target))
                DurableFiles.Rename(target, replaced);
            DurableFiles.Rename(aside, target);
            DurableFiles.Point(Path.Combine(_folder, "latest"), name);
            DurableFiles.SyncFolder(_folder);
            TryDelete(replaced);
            return target;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            TryDelete(aside);
            throw new CheckpointException($"checkpoint {target} could not be written: {exception.Message}", exception);
        }
    }

    /// <summary>Finds the newest checkpoint that is whole, verifying it.</summary>
    public CheckpointSearch FindNewestWhole()
    {
        var passedOver = new List<string>();
        foreach (var folder in NewestFirst())
        {
            try
            {
                return new CheckpointSearch(Checkpoint.Open(folder), passedOver);
            }
            catch (ModelException exception)
            {
                passedOver.Add($"{Path.GetFileName(folder)} is passed over: {exception.Message}");
            }
        }
        return new CheckpointSearch(null, passedOver);
    }

    /// <summary>Removes all but the newest checkpoints.</summary>
    /// <param name="limit">How many stay; 0 keeps all.</param>
    /// <returns>The folders removed.</returns>
    public IReadOnlyList<string> Prune(int limit)
    {
        string[] surplus = limit <= 0 ? [] : [.. NewestFirst().Skip(limit)];
        try
        {
            foreach (var folder in surplus)
                Remove(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"an old checkpoint in {_folder} could not be removed: {exception.Message}", exception);
        }
        return surplus;
    }

    private static void WriteFiles(
        string folder, EngineSnapshot snapshot, TrainingState state, string? tokenizer, IReadOnlyList<(string Name, Action<Stream> Write)> pipeline)
    {
        var sums = new Checksums();
        sums.WriteFile(folder, Checkpoint.Config, stream => stream.Write(Encoding.UTF8.GetBytes(MistralConfigJson.Write(snapshot.Model, "float32"))));
        sums.WriteFile(folder, Checkpoint.Weights, stream =>
        {
            var writer = SafetensorsWriter.Begin(stream, snapshot.Parameters.Select(parameter => (parameter.Name, TensorType.F32, parameter.Shape)));
            foreach (var parameter in snapshot.Parameters)
                writer.Write(parameter.Weight);
            writer.Complete();
        });
        sums.WriteFile(folder, Checkpoint.Optimizer, stream =>
        {
            var writer = SafetensorsWriter.Begin(
                stream,
                snapshot.Parameters.SelectMany(parameter => new[]
                {
                    (Checkpoint.FirstMoment + parameter.Name, TensorType.F32, parameter.Shape),
                    (Checkpoint.SecondMoment + parameter.Name, TensorType.F32, parameter.Shape),
                }),
                OptimizerMetadata(snapshot));
            foreach (var parameter in snapshot.Parameters)
            {
                writer.Write(parameter.FirstMoment);
                writer.Write(parameter.SecondMoment);
            }
            writer.Complete();
        });
        if (tokenizer is not null)
        {
            using var source = File.OpenRead(tokenizer);
            sums.WriteFile(folder, Checkpoint.Tokenizer, source.CopyTo);
        }
        if (pipeline.Count > 0)
        {
            var below = Path.Combine(folder, Checkpoint.Pipeline);
            Directory.CreateDirectory(below);
            foreach (var (name, write) in pipeline)
                sums.WriteFile(folder, $"{Checkpoint.Pipeline}/{name}", write);
            DurableFiles.SyncFolder(below);
        }
        sums.WriteFile(folder, Checkpoint.State, stream => stream.Write(state.ToJson()));
        sums.Save(folder);
    }

    private static Dictionary<string, string> OptimizerMetadata(EngineSnapshot snapshot)
    {
        var metadata = new Dictionary<string, string> { [Checkpoint.OptimizerStep] = snapshot.OptimizerStep.ToString(CultureInfo.InvariantCulture) };
        if (snapshot.LossScale is { } scaling)
        {
            metadata[Checkpoint.LossScale] = scaling.Scale.ToString("R", CultureInfo.InvariantCulture);
            metadata[Checkpoint.LossScaleGoodSteps] = scaling.GoodSteps.ToString(CultureInfo.InvariantCulture);
        }
        return metadata;
    }

    /// <summary>
    /// The checkpoints' folders by the time they were written: after a roll-back to an earlier step, the steps beyond it are
    /// older than those that followed. One whose state is unreadable is as old as its step says.
    /// </summary>
    private IReadOnlyList<string> NewestFirst()
    {
        if (!Directory.Exists(_folder))
            return [];
        return [.. Directory.GetDirectories(_folder, Prefix + "*")
            .Select(folder => (Folder: folder, IsStep: TryParseStep(folder, out var step), Step: step))
            .Where(entry => entry.IsStep)
            .Select(entry => (entry.Folder, entry.Step, Time: TryReadTime(entry.Folder)))
            .OrderByDescending(entry => entry.Time).ThenByDescending(entry => entry.Step)
            .Select(entry => entry.Folder)];
    }

    /// <summary>Now, or just after the newest checkpoint where the clock was set back.</summary>
    private DateTimeOffset NextTime()
    {
        var newest = NewestFirst().Select(TryReadTime).DefaultIfEmpty().Max();
        var now = DateTimeOffset.UtcNow;
        return now > newest ? now : newest.AddTicks(1);
    }

    private static bool TryParseStep(string folder, out long step) =>
        long.TryParse(Path.GetFileName(folder).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out step);

    private static DateTimeOffset TryReadTime(string folder)
    {
        try
        {
            return TrainingState.Load(Path.Combine(folder, Checkpoint.State)).WrittenAt;
        }
        catch (CheckpointException)
        {
            return DateTimeOffset.MinValue;
        }
    }

    private static MistralConfig? TryLoadConfig(string folder)
    {
        try
        {
            return MistralConfig.Load(folder);
        }
        catch (ModelException)
        {
            return null; // damaged; the search for the newest whole one names it
        }
    }

    /// <summary>Renames before deleting, so that half a checkpoint never bears a checkpoint's name.</summary>
    private void Remove(string folder)
    {
        var aside = NewAside();
        DurableFiles.Rename(folder, aside);
        Directory.Delete(aside, recursive: true);
    }

    private string NewAside() => Path.Combine(_folder, $"{Aside}{Guid.NewGuid():N}");

    private static void TryDelete(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The next start clears it away.
        }
    }
}

/// <param name="Newest">The newest whole checkpoint; null where there is none.</param>
/// <param name="PassedOver">A sentence for each newer one that is not whole.</param>
public sealed record CheckpointSearch(Checkpoint? Newest, IReadOnlyList<string> PassedOver);
