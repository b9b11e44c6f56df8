using System.Diagnostics;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Terminal;
using Streaming.Model;
using Streaming.Model.Checkpoints;

namespace Streaming.Hosting.Proof;

/// <summary>
/// The experiment behind <c>prove-resume</c>: one run undisturbed, one whose processes are killed at random moments and started again,
/// and everything that they left behind compared.
/// </summary>
/// <param name="plain">The undisturbed run.</param>
/// <param name="killed">The other one.</param>
/// <param name="steps">Steps of both.</param>
/// <param name="screen">Where it is told of.</param>
internal sealed class ResumeProof(ProofRun plain, ProofRun killed, long steps, Screen screen)
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_glance = TimeSpan.FromMilliseconds(2);

    private readonly Dictionary<string, DateTimeOffset> _verified = [];
    private readonly Dictionary<string, int> _moments = [];
    private int _read, _unreadable;
    private bool _hadLatest;

    /// <summary>Processes that were killed in the middle of their work.</summary>
    public int Kills { get; private set; }

    /// <returns>Whether nothing was lost and nothing repeated.</returns>
    /// <exception cref="UserErrorException">One of the runs failed by itself.</exception>
    public async Task<bool> RunAsync(int kills, int seed, CancellationToken cancellation)
    {
        var (startup, whole) = await RunPlainAsync(cancellation).ConfigureAwait(false);
        screen.WriteLine($"plain run: {steps} steps in {Quantity.Time(whole)}, the first after {Quantity.Time(startup)}");
        var schedule = new KillSchedule(seed, startup, (whole - startup) / steps);
        var finished = false;
        while (Kills < kills && !finished)
        {
            if (await KillOnceAsync(schedule.Next(steps - killed.Step, kills - Kills), cancellation).ConfigureAwait(false) is { } moment)
                Count(moment, kills);
            else
                finished = killed.Step >= steps;
        }
        while (!finished)
            finished = await EndAsync(killed, cancellation).ConfigureAwait(false);
        VerifyCheckpoints();
        return Report(kills);
    }

    private async Task<(TimeSpan Startup, TimeSpan Whole)> RunPlainAsync(CancellationToken cancellation)
    {
        var began = Stopwatch.GetTimestamp();
        TimeSpan? startup = null;
        using var process = plain.Start();
        try
        {
            while (!process.HasExited)
            {
                if (startup is null && plain.StepsSeen > 0)
                    startup = Stopwatch.GetElapsedTime(began);
                await Task.Delay(s_look, cancellation).ConfigureAwait(false);
            }
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
        RequireDone(plain, process.ExitCode);
        var whole = Stopwatch.GetElapsedTime(began);
        return (startup ?? whole, whole);
    }

    /// <returns>What the process was doing when it was killed; null where it ended before.</returns>
    private async Task<string?> KillOnceAsync(Kill kill, CancellationToken cancellation)
    {
        using var process = killed.Start();
        try
        {
            var exit = process.WaitForExitAsync(cancellation);
            while (killed.StepsSeen < kill.AfterSteps && !exit.IsCompleted)
                await Task.Delay(s_glance, cancellation).ConfigureAwait(false);
            if (await Task.WhenAny(exit, Task.Delay(kill.Later, cancellation)).ConfigureAwait(false) != exit && kill.GraceBefore is { } grace)
            {
                ProofRun.AskToEnd(process);
                await Task.WhenAny(exit, Task.Delay(grace, cancellation)).ConfigureAwait(false);
            }
            cancellation.ThrowIfCancellationRequested();
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
        if (process.ExitCode is not 137)
        {
            if (process.ExitCode is not (0 or 143))
                RequireDone(killed, process.ExitCode);
            return null;
        }
        VerifyCheckpoints();
        return killed.IsWriting ? "while a checkpoint was written" : kill.GraceBefore is not null ? "while it stopped" : killed.StepsSeen == 0 ? "before a step" : "between and in steps";
    }

    private async Task<bool> EndAsync(ProofRun run, CancellationToken cancellation)
    {
        using var process = run.Start();
        try
        {
            await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
        RequireDone(run, process.ExitCode);
        return true;
    }

    private void Count(string moment, int kills)
    {
        Kills++;
        _moments[moment] = _moments.GetValueOrDefault(moment) + 1;
        screen.WriteLine($"kill {Kills} of {kills}: {moment}, at step {killed.Step}");
    }

    /// <summary>Every checkpoint that bears a checkpoint's name is whole, whatever was going on, and <c>latest</c>, once there, stays.</summary>
    private void VerifyCheckpoints()
    {
        if (!Directory.Exists(killed.CheckpointsPath))
            return;
        foreach (var folder in Directory.GetDirectories(killed.CheckpointsPath, "step-*").Append(Path.Combine(killed.CheckpointsPath, "latest")))
        {
            var isLatest = Path.GetFileName(folder) == "latest";
            if (isLatest && DurableFiles.Target(folder) is null && !_hadLatest)
                continue; // it is set once the first checkpoint has its name
            _hadLatest |= isLatest;
            var written = Directory.Exists(folder) ? Directory.GetLastWriteTimeUtc(folder) : DateTimeOffset.MinValue;
            if (!isLatest && _verified.GetValueOrDefault(folder) == written)
                continue;
            try
            {
                Checkpoint.Open(folder);
                _read += isLatest ? 0 : 1;
                _verified[folder] = written;
            }
            catch (ModelException failure)
            {
                _unreadable++;
                screen.WriteError($"streaming: {failure.Message}");
            }
        }
    }

    private bool Report(int kills)
    {
        var findings = RunComparison.Compare(plain, killed);
        screen.WriteLine();
        screen.WriteLine($"killed run: {steps} steps, {Kills} kills: {string.Join(", ", _moments.Select(moment => $"{moment.Value} {moment.Key}"))}");
        if (Kills < kills)
            screen.WriteLine($"the run was done before {kills - Kills} of the kills: raise --steps for more");
        foreach (var finding in findings)
            screen.WriteLine($"  {finding.Part,-18} {(finding.IsEqual ? "equal" : "DIFFERENT"),-10} {finding.Detail}");
        screen.WriteLine($"  {"checkpoints",-18} {(_unreadable == 0 ? "whole" : "DAMAGED"),-10} {_read} read after the kills, {_unreadable} unreadable");
        var isEqual = _unreadable == 0 && findings.All(finding => finding.IsEqual);
        screen.WriteLine(!isEqual ? $"verdict: the runs differ; they are kept in {plain.Folder} and {killed.Folder}"
            : Kills == 0 ? "verdict: nothing is proven, as no process was killed"
            : $"verdict: nothing was lost and nothing repeated ({plain.Folder} and {killed.Folder})");
        return isEqual && Kills > 0;
    }

    private static void RequireDone(ProofRun run, int exitCode)
    {
        if (exitCode != ExitCodes.Done)
            throw new UserErrorException($"a run of the proof ended with code {exitCode}: {run.LastWords()} ({run.Log}).", ExitCodes.Failed);
    }
}
