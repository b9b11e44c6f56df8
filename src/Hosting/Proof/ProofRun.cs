using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Streaming.Hosting.Proof;

/// <summary>One run of a proof, in processes of its own: each is this program, started with <c>train</c> and the run's settings.</summary>
/// <param name="folder">The run's folder.</param>
/// <param name="arguments">Of <c>train</c>, without the folder.</param>
internal sealed partial class ProofRun(string folder, IReadOnlyList<string> arguments)
{
    private const int Terminate = 15;

    private int _stepsSeen;

    public string Folder => folder;

    /// <summary>What the processes printed, one after the other.</summary>
    public string Log => folder + ".log";

    public string MetricsPath => Path.Combine(folder, "metrics.jsonl");

    public string CheckpointsPath => Path.Combine(folder, "checkpoints");

    /// <summary>The step of the last line of metrics.jsonl; 0 where there is none.</summary>
    public long Step
    {
        get
        {
            if (!File.Exists(MetricsPath))
                return 0;
            using var file = new FileStream(MetricsPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            file.Seek(-Math.Min(file.Length, 4096), SeekOrigin.End);
            var lines = new StreamReader(file).ReadToEnd().Split('\n');
            for (var index = lines.Length - 2; index >= 0; index--) // what follows the last line feed is half a line
            {
                if (lines[index].StartsWith("{\"step\":", StringComparison.Ordinal) && lines[index].EndsWith('}'))
                    return JsonDocument.Parse(lines[index]).RootElement.GetProperty("step").GetInt64();
            }
            return 0;
        }
    }

    /// <summary>A checkpoint is being written, or was when the process ended.</summary>
    public bool IsWriting => Directory.Exists(CheckpointsPath) && Directory.GetDirectories(CheckpointsPath, ".aside-*").Length > 0;

    /// <summary>Steps that the last process has told of.</summary>
    public int StepsSeen => Volatile.Read(ref _stepsSeen);

    /// <summary>Starts a process that goes on with the run.</summary>
    /// <param name="environment">Variables that it has beside those of this process.</param>
    public Process Start(params ReadOnlySpan<(string Name, string Value)> environment)
    {
        var (program, first) = Program();
        _stepsSeen = 0;
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var argument in (string[])[.. first, "train", .. arguments, "--set", $"run.directory={JsonSerializer.Serialize(folder)}"])
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
        process.StandardInput.Close();
        var log = TextWriter.Synchronized(new StreamWriter(new FileStream(Log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true });
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;

        void Keep(string? line)
        {
            if (line is null)
                return;
            if (line.StartsWith("step ", StringComparison.Ordinal))
                Interlocked.Increment(ref _stepsSeen);
            log.WriteLine(line);
        }
    }

    /// <summary>Asks a process to end, as a service manager does.</summary>
    public static void AskToEnd(Process process) => Send(process, Terminate);

    public static void Send(Process process, int signal) => _ = Kill(process.Id, signal);

    /// <summary>The last lines that the processes printed.</summary>
    public string LastWords() => File.Exists(Log)
        ? string.Join(" | ", File.ReadLines(Log).Where(line => line.Length > 0).TakeLast(3))
        : "nothing was printed";

    /// <summary>This program: by the runtime's host where it is no executable of its own.</summary>
    public static (string Program, string[] First) Program()
    {
        var assembly = Path.Combine(AppContext.BaseDirectory, "streaming.dll");
        var own = Path.Combine(AppContext.BaseDirectory, "streaming");
        if (Environment.ProcessPath is { } process && Path.GetFileNameWithoutExtension(process) == "streaming")
            return (process, []);
        return File.Exists(own) ? (own, []) : ("dotnet", [assembly]);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{folder} at step {Step}");
}
