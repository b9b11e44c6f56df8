using System.Diagnostics;
using Streaming.Hosting.Proof;

namespace Streaming.Hosting.Tests.Runs;

/// <summary>In which order a run asks the system to put things on the disk, as strace(1) sees it: what a power cut at any moment leaves is whole.</summary>
public sealed class DurabilitySpec : IDisposable
{
    private const string Strace = "/usr/bin/strace";

    private readonly string _folder = Directory.CreateTempSubdirectory("durability-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_checkpoint_is_on_the_disk_before_it_has_its_name_and_has_its_name_before_latest_leads_to_it()
    {
        if (!File.Exists(Strace))
            Assert.Skip($"there is no {Strace}");
        var run = Path.Combine(_folder, "runs", "one");
        var calls = await TraceAsync(run);
        var checkpoints = Path.Combine(run, "checkpoints");
        var target = Path.Combine(checkpoints, "step-00000002");
        var named = Only(calls, call => call.StartsWith("rename(", StringComparison.Ordinal) && call.Contains($", \"{target}\"", StringComparison.Ordinal));
        var aside = calls[named].Split('"')[1];

        // Each file of it after it was made, its folders after their files, and the journals that it counts on.
        var made = Enumerable.Range(0, named).Where(at => calls[at].Contains($"\"{aside}/", StringComparison.Ordinal) && calls[at].Contains("O_CREAT", StringComparison.Ordinal)).ToList();
        Assert.Contains(made, at => calls[at].Contains("SHA256SUMS", StringComparison.Ordinal));
        Assert.True(made.Count >= 8);
        Assert.All(made, at => Assert.Contains(Synced(calls, calls[at].Split('"')[1]), synced => synced > at && synced < named));
        Assert.Contains(Synced(calls, aside), synced => synced > made[^1] && synced < named);
        foreach (var counted in new[] { "metrics.jsonl", "cursors.jsonl", "skipped.jsonl" }.Select(name => Path.Combine(run, name)).Append(run))
            Assert.Contains(Synced(calls, counted), synced => synced < named);

        var linked = Only(calls, call => call.StartsWith("rename(", StringComparison.Ordinal) && call.Contains($", \"{checkpoints}/latest\"", StringComparison.Ordinal));
        Assert.Contains(Synced(calls, checkpoints), synced => synced > named && synced < linked);
        Assert.Contains(Synced(calls, checkpoints), synced => synced > linked);

        // The folders that lead there.
        foreach (var folder in new[] { Path.Combine(_folder, "runs"), run, checkpoints })
            Assert.Contains(Synced(calls, Path.GetDirectoryName(folder)!), synced => synced > Only(calls, call => call.StartsWith($"mkdir(\"{folder}\"", StringComparison.Ordinal)) && synced < named);
    }

    private static int Only(IReadOnlyList<string> calls, Func<string, bool> isIt) =>
        Assert.Single(Enumerable.Range(0, calls.Count), at => isIt(calls[at]) && calls[at].EndsWith(" = 0", StringComparison.Ordinal));

    private static IEnumerable<int> Synced(IReadOnlyList<string> calls, string path) =>
        Enumerable.Range(0, calls.Count).Where(at => calls[at].StartsWith("fsync(", StringComparison.Ordinal) && calls[at].Contains($"<{path}>)", StringComparison.Ordinal) && calls[at].EndsWith(" = 0", StringComparison.Ordinal));

    /// <returns>The calls in the order in which they were done.</returns>
    private async Task<IReadOnlyList<string>> TraceAsync(string folder)
    {
        var trace = Path.Combine(_folder, "trace");
        string[] settings =
        [
            "training.max-steps=2", "training.eval-steps=0", "metrics.enabled=false", "sample.prompt=\"\"", "data.block-size=16", "data.validation-fraction=0", "data.duplicates=web",
            "data.cleaning=web", "training.per-device-train-batch-size=1", $"run.directory={folder}",
        ];
        var (program, first) = ProofRun.Program();
        using var process = Process.Start(new ProcessStartInfo(Strace,
            ["-f", "--seccomp-bpf", "-y", "-qq", "-s", "4096", "-o", trace, "-e", "trace=fsync,rename,renameat2,openat,mkdir", program, .. first, "train", .. settings.SelectMany(setting => new[] { "--set", setting })])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        var said = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        if (errors.Contains("ptrace", StringComparison.OrdinalIgnoreCase))
            Assert.Skip($"strace may not look at a process here: {errors.Split('\n')[0]}");
        Assert.True(process.ExitCode == 0, errors + await said);

        var calls = new List<string>();
        var begun = new Dictionary<string, string>();
        foreach (var line in await File.ReadAllLinesAsync(trace, TestContext.Current.CancellationToken))
        {
            var (thread, call) = (line.Split(' ')[0], line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..].Trim());
            if (call.EndsWith("<unfinished ...>", StringComparison.Ordinal))
                begun[thread] = call[..^"<unfinished ...>".Length].TrimEnd();
            else if (call.StartsWith("<... ", StringComparison.Ordinal) && begun.Remove(thread, out var beginning))
                calls.Add(beginning + call[(call.IndexOf("resumed>", StringComparison.Ordinal) + "resumed>".Length)..]);
            else
                calls.Add(call);
        }
        // strace aligns what a call returns.
        return [.. calls.Select(call => call.LastIndexOf(" = ", StringComparison.Ordinal) is >= 0 and var at ? call[..at].TrimEnd() + call[at..] : call)];
    }
}
