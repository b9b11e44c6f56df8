// What cleaning and the search for duplicates cost on one core, and what they keep.
//
//     taskset -c 0 dotnet run -c Release benchmarks/cleaning.cs -- TEXT…            kept share by reason, MB/s of rules and fingerprints
//     taskset -c 0 dotnet run -c Release benchmarks/cleaning.cs -- --show REASON TEXT  what the reason took
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
    Measure("rules (web)", bytes, () => { kept.Clear(); Clean(lines, documents, cleaner, kept, null); });
}

static void Measure(string what, long bytes, Action action)
{
    action();
    var process = Process.GetCurrentProcess();
    var (rounds, allocated) = (0, GC.GetAllocatedBytesForCurrentThread());
    process.Refresh();
    var before = process.UserProcessorTime;
    var clock = Stopwatch.StartNew();
    for (; clock.Elapsed.TotalSeconds < 3; rounds++)
        action();
    process.Refresh();
    var seconds = (process.UserProcessorTime - before).TotalSeconds;
    Console.WriteLine($"  {what,-28}{rounds * bytes / 1e6 / seconds,9:F0} MB/s of processor time, {(GC.GetAllocatedBytesForCurrentThread() - allocated) / rounds:N0} bytes allocated a round");
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
