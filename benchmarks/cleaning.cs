// What cleaning and the search for duplicates cost on one core, and what they keep.
//
//     taskset -c 0 dotnet run -c Release benchmarks/cleaning.cs -- TEXT…            kept share by reason, MB/s of rules and fingerprints
//     taskset -c 0 dotnet run -c Release benchmarks/cleaning.cs -- --show REASON TEXT  what the reason took
//
//     taskset -c 0 dotnet run -c Release benchmarks/cleaning.cs -- --index N   N entries into an empty index, then looked up, then N more into the full one
//
// TEXT: UTF-8, one line a paragraph, an empty line between documents.
#:project ../src/Streams/Streams.csproj
#:property PublishAot=false
#:property Optimize=true

using System.Diagnostics;
using System.Globalization;
using System.Text;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Text;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["--index", var entries])
{
    FillIndex(long.Parse(entries));
    return;
}
var show = args is ["--show", _, ..] ? args[1] : null;
foreach (var path in args[(show is null ? 0 : 2)..])
{
    var (lines, documents, bytes) = Read(path);
    var cleaner = new DocumentCleaner(CleaningOptions.Web);
    var kept = new TextBatch();
    Clean(lines, documents, cleaner, kept, show is null ? null : new Shown(show));
    if (show is not null)
        continue;
    var statistics = cleaner.Statistics;
    Console.WriteLine($"{path}: {bytes / 1e6:F1} MB, {documents.Count:N0} documents, {lines.Count:N0} lines");
    foreach (var reason in CleaningReasons.All.Prepend(CleaningReason.None).Where(reason => statistics.Lines(reason) > 0))
        Console.WriteLine($"  {(reason == CleaningReason.None ? "kept" : reason.Label()),-28}{statistics.Documents(reason),9:N0} documents {statistics.Lines(reason),10:N0} lines {100.0 * statistics.Characters(reason) / statistics.TotalCharacters,9:F3} % of characters");
    Measure("rules (web)", bytes, documents.Count, () => { kept.Clear(); Clean(lines, documents, cleaner, kept, null); });
    Hash("fingerprints of documents", DuplicateOptions.Off with { Documents = true });
    Hash("... and lines", DuplicateOptions.Off with { Documents = true, Lines = true });
    Hash("... and MinHash 14 x 8", DuplicateOptions.Web);

    void Hash(string what, DuplicateOptions options)
    {
        var hasher = new DocumentHasher(options);
        var fingerprints = new DocumentFingerprints();
        Measure(what, bytes, documents.Count, () =>
        {
            fingerprints.Clear();
            foreach (var (first, end) in documents)
                hasher.Hash(lines, first, end, fingerprints);
        });
    }
}

static void Measure(string what, long bytes, int documents, Action action)
{
    action();
    var (rounds, best, allocated) = (0, double.MaxValue, GC.GetAllocatedBytesForCurrentThread());
    for (var clock = Stopwatch.StartNew(); clock.Elapsed.TotalSeconds < 5 || rounds < 5; rounds++)
    {
        var before = ProcessorSeconds();
        action();
        best = Math.Min(best, ProcessorSeconds() - before);
    }
    allocated = (GC.GetAllocatedBytesForCurrentThread() - allocated) / rounds;
    Console.WriteLine($"  {what,-28}{bytes / 1e6 / best,9:F0} MB/s, {documents / best,9:N0} documents/s of processor time; {allocated:N0} bytes allocated a round");
}

static double ProcessorSeconds() => Environment.CpuUsage.TotalTime.TotalSeconds;

static void FillIndex(long entries)
{
    // The memory for exactly so many entries: 20.67 bytes each.
    var memory = (long)(entries * (10 + 32 / 3.0)) + 1024;
    using var index = new FingerprintIndex(memory);
    Console.WriteLine($"{entries:N0} entries in {memory / 1e6:N0} MB");
    index.BeginEpoch(0);
    var batch = new ulong[64]; // about what a batch of text brings
    var random = 0UL;
    Pass("new, the index growing", true);
    random = 0;
    Pass("known", false);
    var state = Stopwatch.StartNew();
    using (var file = new FileStream(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose))
    {
        index.Save(index.Count, file);
        file.Flush();
        Console.WriteLine($"  state of {file.Length / 1e6:N0} MB written in {state.Elapsed.TotalSeconds:F2} s");
        file.Position = 0;
        using var restored = new FingerprintIndex(memory);
        state.Restart();
        restored.Restore(index.Count, file);
        Console.WriteLine($"  read back and indexed in {state.Elapsed.TotalSeconds:F2} s");
    }
    random = (ulong)entries * 0x9E3779B97F4A7C15;
    Pass("new, as many forgotten", true);

    void Pass(string what, bool isNew)
    {
        var (before, clock, known) = (ProcessorSeconds(), Stopwatch.StartNew(), 0L);
        for (var done = 0L; done < entries; done += batch.Length)
        {
            foreach (ref var fingerprint in batch.AsSpan())
            {
                var mixed = random += 0x9E3779B97F4A7C15;
                mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
                mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
                fingerprint = mixed ^ (mixed >> 31);
            }
            index.Prefetch(batch);
            known += index.Add(batch);
        }
        var seconds = ProcessorSeconds() - before;
        using var process = Process.GetCurrentProcess();
        Console.WriteLine($"  {what,-28}{entries / seconds / 1e6,9:F1} million/s of processor time, {entries / clock.Elapsed.TotalSeconds / 1e6:F1} by the clock; {known:N0} known; {process.WorkingSet64 / 1e6:N0} MB resident");
    }
}

static void Clean(TextBatch lines, List<(int First, int End)> documents, DocumentCleaner cleaner, TextBatch kept, IRejectionSink? sink)
{
    foreach (var (first, end) in documents)
        cleaner.Clean(lines, first, end, kept, sink);
}

static (TextBatch Lines, List<(int, int)> Documents, long Bytes) Read(string path)
{
    var lines = new TextBatch();
    var documents = new List<(int, int)>();
    var first = 0;
    foreach (var line in File.ReadLines(path).Append(""))
    {
        if (line.Length > 0)
        {
            lines.AppendLine(line);
            continue;
        }
        if (lines.Count > first)
            documents.Add((first, lines.Count));
        first = lines.Count;
    }
    return (lines, documents, Encoding.UTF8.GetByteCount(lines.Characters));
}

internal sealed class Shown(string reason) : IRejectionSink
{
    public void DropLine(TextBatch lines, int line, CleaningReason why)
    {
        if (why.Label() == reason)
            Console.WriteLine(lines[line].ToString());
    }

    public void DropDocument(TextBatch lines, int firstLine, int endLine, CleaningReason why)
    {
        if (why.Label() != reason)
            return;
        Console.WriteLine($"--- {endLine - firstLine} lines");
        for (var line = firstLine; line < Math.Min(endLine, firstLine + 6); line++)
            Console.WriteLine(lines[line].ToString());
    }
}
