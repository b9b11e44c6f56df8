using System.Globalization;

namespace Streaming.Actors;

/// <summary>What can be made to go wrong.</summary>
public enum FaultKind
{
    /// <summary>The loss is no number.</summary>
    NonFiniteLoss,

    /// <summary>The loss is ten nats above what it is.</summary>
    Spike,

    /// <summary>The engine throws.</summary>
    Engine,

    /// <summary>The GPU has no memory left.</summary>
    OutOfMemory,

    /// <summary>The GPU's context is dead.</summary>
    DeadDevice,

    /// <summary>Writing a checkpoint fails in the middle.</summary>
    CheckpointWrite,

    /// <summary>The disk has no room for a checkpoint.</summary>
    FullDisk,

    /// <summary>An evaluation throws.</summary>
    Evaluation,

    /// <summary>A source does not answer any more.</summary>
    SourceOutage,

    /// <summary>An archive is damaged in the middle.</summary>
    DamagedArchive,

    /// <summary>The tokenizer throws.</summary>
    Tokenizer,

    /// <summary>The trainer's thread stands still for ever.</summary>
    Hang,

    /// <summary>The process is killed, as by kill -9, before the step.</summary>
    Kill,

    /// <summary>The process is killed in the middle of writing the step's checkpoint.</summary>
    KillInCheckpoint,

    /// <summary>Writing a checkpoint takes two seconds more.</summary>
    SlowCheckpoint,
}

/// <summary>
/// A plan of faults by configuration: which, at which step, how often. A fault that has happened is written down in the run directory
/// first, so that a process that is started again does not meet it once more. Thread-safe.
/// </summary>
public sealed class FaultPlan
{
    // What a run survives without a process to start it again.
    private static readonly FaultKind[] s_survived =
    [
        FaultKind.NonFiniteLoss, FaultKind.Spike, FaultKind.Engine, FaultKind.OutOfMemory, FaultKind.CheckpointWrite, FaultKind.FullDisk,
        FaultKind.Evaluation, FaultKind.SourceOutage, FaultKind.Tokenizer,
    ];

    private readonly Lock _lock = new();
    private readonly Dictionary<(FaultKind Kind, long Step), int> _left;
    private readonly string? _path;

    private FaultPlan(Dictionary<(FaultKind, long), int> faults, string? path) => (_left, _path) = (faults, path);

    /// <summary>Names of the kinds, as a plan has them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Enum.GetValues<FaultKind>().Select(NameOf)];

    /// <summary>
    /// Reads a plan: <c>engine@57, spike@80x2, random*5@1-300</c>, the last one being five faults of kinds that a run survives, drawn by
    /// the seed at steps 1 to 300.
    /// </summary>
    /// <param name="text">The plan.</param>
    /// <param name="seed">Of what is drawn.</param>
    /// <param name="path">File of the faults that have happened; null keeps none.</param>
    /// <exception cref="FormatException">It is no plan; says which entry, and what is allowed.</exception>
    public static FaultPlan Parse(string text, int seed, string? path = null)
    {
        var faults = new Dictionary<(FaultKind, long), int>();
        var random = new Random(seed);
        foreach (var entry in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            foreach (var (kind, step, times) in ReadEntry(entry, random))
                faults[(kind, step)] = faults.GetValueOrDefault((kind, step)) + times;
        }
        if (path is not null && File.Exists(path))
        {
            foreach (var happened in File.ReadLines(path).Where(line => line.Contains('@', StringComparison.Ordinal)))
            {
                foreach (var (kind, step, _) in ReadEntry(happened, random))
                    faults[(kind, step)] = faults.GetValueOrDefault((kind, step)) - 1;
            }
        }
        return new FaultPlan(faults, path);
    }

    /// <summary>Whether a fault happens now; it is used up by the question.</summary>
    public bool Happens(FaultKind kind, long step)
    {
        lock (_lock)
        {
            if (_left.GetValueOrDefault((kind, step)) <= 0)
                return false;
            _left[(kind, step)]--;
            if (_path is null)
                return true;
            using var file = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.Read);
            file.Write(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{NameOf(kind)}@{step}\n")));
            file.Flush(flushToDisk: true);
            return true;
        }
    }

    /// <summary>Ends the process as kill -9 does.</summary>
    public static void Kill()
    {
        using var self = System.Diagnostics.Process.GetCurrentProcess();
        self.Kill();
        Thread.Sleep(Timeout.Infinite);
    }

    private static IEnumerable<(FaultKind Kind, long Step, int Times)> ReadEntry(string entry, Random random)
    {
        if (entry.Split('@') is [var what, var when])
        {
            if (what.Split('*') is ["random", var drawn] && int.TryParse(drawn, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && when.Split('-') is [var first, var last] && TryReadStep(first, out var from) && TryReadStep(last, out var to) && from <= to)
                return Enumerable.Range(0, count).Select(_ => (s_survived[random.Next(s_survived.Length)], random.NextInt64(from, to + 1), 1)).ToList();
            var times = 1;
            if (when.Split('x') is [var step, var often] && int.TryParse(often, NumberStyles.None, CultureInfo.InvariantCulture, out times))
                when = step;
            if (Enum.GetValues<FaultKind>().Where(kind => NameOf(kind) == what).ToList() is [var known] && TryReadStep(when, out var at))
                return [(known, at, times)];
        }
        throw new FormatException($"\"{entry}\" is no fault: write KIND@STEP, KIND@STEPxTIMES or random*COUNT@FIRST-LAST, KIND being one of {string.Join(", ", Names)}");
    }

    private static bool TryReadStep(string text, out long step) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out step) && step > 0;

    private static string NameOf(FaultKind kind) =>
        string.Concat(kind.ToString().Select((letter, index) => char.IsUpper(letter) && index > 0 ? $"-{char.ToLowerInvariant(letter)}" : $"{char.ToLowerInvariant(letter)}"));
}
