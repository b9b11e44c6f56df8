using System.Globalization;

namespace Streaming.Model.Checkpoints;

/// <summary>
/// The checkpoints of one run: <c>checkpoints/step-00001234/</c>, <c>latest</c> that points at the newest and <c>best</c> that points
/// at the one with the least validation loss. Works on host copies, so that it runs on any thread; one thread at a time.
/// </summary>
public sealed class CheckpointStore
{
    private const string Prefix = "step-", Aside = ".aside-", Latest = "latest", Best = "best";

    // Beside weights and moments: what JSON, the tokenizer and the file system take.
    private const long RoomForTheRest = 16 << 20;

    private readonly string _folder;
    private Func<long, long?>? _freeBytes;
    private Action<long, string>? _beforeWriting;
    private TimeProvider _clock = TimeProvider.System;

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
            foreach (var link in new[] { Latest, Best })
                DurableFiles.ClearLeftovers(Path.Combine(store._folder, link));
        }
        return store;
    }

    /// <summary>Room that a checkpoint of so many parameters takes on the disk: weights and two moments in float32, and a little more.</summary>
    public static long BytesOf(long parameters) => parameters * EngineSnapshot.ValuesPerParameter * sizeof(float) + RoomForTheRest;

    /// <summary>The same checkpoints, with a disk that fails: for tests, and runs whose faults are planned.</summary>
    /// <param name="freeBytes">Free bytes when a step's checkpoint is written; null takes those of the disk.</param>
    /// <param name="beforeWriting">Called before each file of a step's checkpoint is written and before it is renamed, with its path; may throw.</param>
    /// <param name="clock">Tells when a checkpoint is written; null is the system's.</param>
    public CheckpointStore With(Func<long, long?>? freeBytes = null, Action<long, string>? beforeWriting = null, TimeProvider? clock = null) =>
        new(_folder) { _freeBytes = freeBytes, _beforeWriting = beforeWriting, _clock = clock ?? _clock };

    /// <summary>What was given up is being removed; over once it is gone.</summary>
    internal Task Clearing { get; private set; } = Task.CompletedTask;

    /// <summary>
    /// Writes a checkpoint: aside, each file synced to disk and read back, renamed; then <c>latest</c> is moved, and <c>best</c> where
    /// its validation loss is the least of all that are here.
    /// </summary>
    /// <param name="snapshot">The engine's state.</param>
    /// <param name="state">Where the run stands.</param>
    /// <param name="tokenizer">The tokenizer's file, copied along; null stores none.</param>
    /// <param name="pipeline">Files of the text path beside its cursor, by name: what writes them, on this thread.</param>
    /// <param name="beside">Further files beside the weights, by name: what Transformers reads of a tokenizer.</param>
    /// <param name="givenUp">The checkpoint is not wanted any more, up to its renaming.</param>
    /// <returns>The checkpoint's folder.</returns>
    /// <exception cref="CheckpointException">It could not be written; what was there before is as it was.</exception>
    /// <exception cref="NonFiniteWeightsException">A weight is not a number: nothing was kept.</exception>
    /// <exception cref="OperationCanceledException">It was given up: nothing was kept, and what was there before is as it was.</exception>
    public string Write(EngineSnapshot snapshot, TrainingState state, string? tokenizer, IReadOnlyList<(string Name, Action<Stream> Write)>? pipeline = null,
        IReadOnlyList<(string Name, byte[] Bytes)>? beside = null, CancellationToken givenUp = default)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{state.Step:D8}");
        var target = Path.Combine(_folder, name);
        var aside = NewAside();
        try
        {
            RequireRoom(target, state.Step, snapshot);
            Directory.CreateDirectory(aside);
            new CheckpointFiles(aside, snapshot, path => _beforeWriting?.Invoke(state.Step, path), givenUp).Write(state with { WrittenAt = NextTime() }, tokenizer, pipeline ?? [], beside ?? []);
            Checksums.Load(aside).RequireSizes(aside);
            _beforeWriting?.Invoke(state.Step, target);
            givenUp.ThrowIfCancellationRequested();
            DurableFiles.Replace(aside, target);
            DurableFiles.SyncFolder(_folder); // a link that outlives a power cut leads to what does
            DurableFiles.Point(Path.Combine(_folder, Latest), name);
            PointAtBest(state);
            DurableFiles.SyncFolder(_folder);
            TryDelete(aside); // what bore the name before
            return target;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CheckpointException)
        {
            TryDelete(aside);
            throw exception as CheckpointException ?? new CheckpointException($"checkpoint {target} could not be written: {exception.Message}", exception);
        }
        catch (OperationCanceledException)
        {
            Clearing = Task.Run(() => TryDelete(aside), CancellationToken.None); // gigabytes take their time, and another checkpoint is waited for
            throw;
        }
        catch
        {
            TryDelete(aside);
            throw;
        }
    }

    /// <summary>The checkpoint with the least validation loss, verified; null where none was evaluated or the best is damaged.</summary>
    public Checkpoint? FindBest()
    {
        var link = Path.Combine(_folder, Best);
        try
        {
            return Path.Exists(link) ? Checkpoint.Open(link) : null;
        }
        catch (ModelException)
        {
            return null;
        }
    }

    /// <summary>Finds the newest checkpoint that is whole, verifying it.</summary>
    /// <param name="isWanted">Which of them; null is each. Where none of those that are wanted is whole, any other is better than none.</param>
    public CheckpointSearch FindNewestWhole(Func<TrainingState, bool>? isWanted = null)
    {
        var search = Find(isWanted ?? (_ => true));
        return search.Newest is null && isWanted is not null ? Find(_ => true) : search;
    }

    private CheckpointSearch Find(Func<TrainingState, bool> isWanted)
    {
        Checkpoint? newest = null;
        var passedOver = new List<(long Step, string Sentence)>();
        foreach (var folder in NewestFirst())
        {
            try
            {
                if (newest is null && !isWanted(ReadState(folder)))
                    throw new CheckpointException("it has learned from text that is left out since");
                else if (newest is null)
                    newest = Checkpoint.Open(folder);
                else if (TryReadTime(folder) == DateTimeOffset.MinValue)
                    ReadState(folder); // says why its time cannot be read
            }
            catch (ModelException exception)
            {
                passedOver.Add((TryParseStep(folder, out var step) ? step : 0, $"{Path.GetFileName(folder)} is passed over: {exception.Message}"));
            }
        }
        return new CheckpointSearch(newest, [.. passedOver.Where(damaged => newest is null || damaged.Step > newest.Training.Step).Select(damaged => damaged.Sentence)]);
    }

    /// <summary>Removes all but the newest checkpoints and the best.</summary>
    /// <param name="limit">How many stay; 0 keeps all.</param>
    /// <returns>The folders removed.</returns>
    public IReadOnlyList<string> Prune(int limit)
    {
        var best = Path.GetFileName(DurableFiles.Target(Path.Combine(_folder, Best)));
        string[] surplus = limit <= 0 ? [] : [.. NewestFirst().Skip(limit).Where(folder => Path.GetFileName(folder) != best)];
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

    private void RequireRoom(string target, long step, EngineSnapshot snapshot)
    {
        var needed = BytesOf(snapshot.ParameterCount);
        DurableFiles.CreateFolder(_folder);
        var free = FreeBytes();
        if (free < needed && !Clearing.IsCompleted)
        {
            Clearing.Wait();
            free = FreeBytes();
        }
        if (free < needed)
            throw new CheckpointException($"checkpoint {target} could not be written: it takes {needed >> 20:N0} MiB and the disk has {free >> 20:N0} MiB free; make room, or keep fewer by training.save-total-limit");

        long? FreeBytes() => _freeBytes?.Invoke(step) ?? DurableFiles.FreeBytes(_folder);
    }

    private void PointAtBest(TrainingState state)
    {
        if (state.EvaluationLoss is not { } loss || !double.IsFinite(loss))
            return;
        var link = Path.Combine(_folder, Best);
        // After a roll-back the one pointed at may be of steps that were abandoned; its loss counts all the same.
        if (TryReadState(DurableFiles.Target(link) ?? link)?.EvaluationLoss is { } least && least <= loss && DurableFiles.Target(link) is { } best && Directory.Exists(best)
            && Path.GetFileName(best) != $"{Prefix}{state.Step:D8}")
            return;
        DurableFiles.Point(link, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{state.Step:D8}"));
    }

    /// <summary>
    /// The checkpoints' folders by the time they were written: after a roll-back to an earlier step, the steps beyond it are
    /// older than those that followed. One whose state is unreadable comes last, in the order of its step: it is of no use, and the first to be pruned.
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
        var now = _clock.GetUtcNow();
        return now > newest ? now : newest.AddTicks(1);
    }

    private static bool TryParseStep(string folder, out long step) =>
        long.TryParse(Path.GetFileName(folder).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out step);

    private static DateTimeOffset TryReadTime(string folder) => TryReadState(folder)?.WrittenAt ?? DateTimeOffset.MinValue;

    private static TrainingState? TryReadState(string folder)
    {
        try
        {
            return ReadState(folder);
        }
        catch (CheckpointException)
        {
            return null;
        }
    }

    /// <summary>Against its checksum: a bit that flipped in a time would put the newest checkpoint behind older ones.</summary>
    private static TrainingState ReadState(string folder)
    {
        Checksums.Load(folder).Verify(folder, Checkpoint.State);
        return TrainingState.Load(Path.Combine(folder, Checkpoint.State));
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
