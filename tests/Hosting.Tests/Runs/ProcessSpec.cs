using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Proof;
using Streaming.Hosting.Runs;
using Streaming.Model.Checkpoints;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Runs;

/// <summary>What only a process of its own shows: the lock on the run's folder, the end of one that hangs, signals and exit codes.</summary>
public sealed class ProcessSpec : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(90);

    private readonly string _folder = Directory.CreateTempSubdirectory("process-").FullName;

    private readonly List<Process> _processes = [];

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited)
                process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_process_that_hangs_ends_itself_and_the_next_one_goes_on_and_is_done()
    {
        var run = Run("run", "training.max-steps=6", "training.save-steps=2", "run.watchdog-timeout=15s", "faults.plan=hang@4");
        Assert.Equal(ExitCodes.NoProgress, await EndAsync(Start(run)));
        Assert.Contains("no progress for", run.LastWords(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Done, await EndAsync(Start(run)));
        Assert.Contains("going on after step 2 of 6", File.ReadAllText(run.Log), StringComparison.Ordinal);
        Assert.Equal(6, run.Step);
    }

    [Fact]
    public async Task A_folder_in_use_is_refused_to_a_second_process_and_a_signal_ends_the_first_with_a_checkpoint()
    {
        var first = Run("run", "training.max-steps=1000000", "log.format=json");
        var process = Start(first);
        await SeeAsync(first, process, "\"step\":2,\"kind\":\"step\"");
        var second = Run("run", "training.max-steps=1000000");
        Assert.Equal(ExitCodes.WrongUsage, await EndAsync(Start(second)));
        Assert.Contains("is in use by another process", File.ReadAllText(second.Log), StringComparison.Ordinal);
        ProofRun.AskToEnd(process);
        Assert.Equal(ExitCodes.StoppedBy(15), await EndAsync(process));
        Assert.Equal(first.Step, Checkpoint.Open(Path.Combine(first.CheckpointsPath, "latest")).Training.Step);
        // A stop that was asked for is no error in a container's log, and the end of it is the last line.
        var lines = await File.ReadAllLinesAsync(first.Log, TestContext.Current.CancellationToken);
        Assert.Equal("warning", JsonDocument.Parse(lines.Single(line => line.Contains("SIGTERM", StringComparison.Ordinal))).RootElement.GetProperty("level").GetString());
        var end = JsonDocument.Parse(lines[^1]).RootElement;
        Assert.Equal(("ended", "information", 143), (end.GetProperty("kind").GetString(), end.GetProperty("level").GetString(), end.GetProperty("exit_code").GetInt32()));
    }

    [Fact]
    public async Task A_lost_terminal_ends_the_run_with_a_checkpoint()
    {
        var run = Run("run", "training.max-steps=1000000", "training.save-steps=0");
        var process = Start(run);
        await SeeAsync(run, process, "step 3/");
        ProofRun.Send(process, 1);
        Assert.Equal(ExitCodes.StoppedBy(1), await EndAsync(process));
        Assert.Equal(run.Step, Checkpoint.Open(Path.Combine(run.CheckpointsPath, "latest")).Training.Step);
    }

    [Fact]
    public async Task Systemd_is_told_that_the_daemon_is_up_alive_and_going()
    {
        var path = Path.Combine(_folder, "notify");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        var run = Run("run", "training.max-steps=3");
        Assert.Equal(ExitCodes.Done, await EndAsync(Start(run, ("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "200000"))));
        var told = new List<string>();
        var buffer = new byte[256];
        while (socket.Available > 0)
            told.Add(Encoding.UTF8.GetString(buffer.AsSpan(0, socket.Receive(buffer))));
        Assert.Equal(["READY=1", "STOPPING=1", "WATCHDOG=1"], told.Distinct().Order());
        Assert.True(told.IndexOf("READY=1") < told.IndexOf("STOPPING=1"));
    }

    [Fact]
    public async Task Secrets_of_a_url_are_in_nothing_that_a_run_leaves_behind()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var server = builder.Build();
        var corpus = Path.Combine(ReferenceData.RepositoryRoot, "samples", "corpus-ja.txt");
        server.MapGet("/text.txt", (string token) => token == "t0k3n-word"
            ? Results.File(corpus, "text/plain", enableRangeProcessing: true, entityTag: new("\"one\""))
            : Results.Unauthorized());
        await server.StartAsync(TestContext.Current.CancellationToken);
        var address = server.Urls.Single().Replace("http://", "http://reader:s3cr3t-word@", StringComparison.Ordinal);
        var run = Run("run", "training.max-steps=3", $"data.sources=[\"{address}/text.txt?token=t0k3n-word\"]", "log.level=debug");
        Assert.True(await EndAsync(Start(run)) == ExitCodes.Done, run.LastWords());
        var files = Directory.GetFiles(run.Folder, "*", SearchOption.AllDirectories).Append(run.Log).ToList();
        Assert.Contains(files, file => Path.GetFileName(file) == "config.hocon");
        foreach (var text in files.Select(file => File.ReadAllText(file)))
        {
            Assert.DoesNotContain("s3cr3t-word", text, StringComparison.Ordinal);
            Assert.DoesNotContain("t0k3n-word", text, StringComparison.Ordinal);
        }
        // The file that says what the run is goes on with it, or says why not.
        var refusal = Assert.Throws<UserErrorException>(() => RunOptionsBuilder.Build(SettingsLoader.Load(Path.Combine(run.Folder, "config.hocon"), [], _ => null)));
        Assert.Contains("leaves out what is secret in a URL: give the file that the run was started with", Assert.Single(refusal.Sentences), StringComparison.Ordinal);
    }

    private ProofRun Run(string name, params string[] settings)
    {
        string[] all =
        [
            "training.logging-steps=1", "training.eval-steps=0", "metrics.enabled=false", "sample.prompt=\"\"", "data.block-size=16", "data.validation-fraction=0",
            "training.per-device-train-batch-size=1", "training.gradient-accumulation-steps=1", .. settings,
        ];
        return new ProofRun(Path.Combine(_folder, name), [.. all.SelectMany(setting => new[] { "--set", setting })]);
    }

    private static async Task SeeAsync(ProofRun run, Process process, string words)
    {
        var until = DateTime.UtcNow + s_limit;
        while (!File.Exists(run.Log) || !File.ReadAllText(run.Log).Contains(words, StringComparison.Ordinal))
        {
            Assert.False(process.HasExited || DateTime.UtcNow > until, run.LastWords());
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    private Process Start(ProofRun run, params ReadOnlySpan<(string Name, string Value)> environment)
    {
        var process = run.Start(environment);
        _processes.Add(process);
        return process;
    }

    private static async Task<int> EndAsync(Process process)
    {
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(s_limit, TestContext.Current.CancellationToken);
        return process.ExitCode;
    }
}
