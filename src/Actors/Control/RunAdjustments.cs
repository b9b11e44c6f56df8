using System.Text.Json;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors;

/// <summary>
/// What operators have changed of a run, kept in <c>control.json</c> of its folder so that a restart of the process keeps it.
/// A change holds for as long as the configuration says what it said when the change was made: whoever edits the
/// configuration afterwards decides anew.
/// </summary>
internal sealed record RunAdjustments
{
    public const string FileName = "control.json";

    private static readonly JsonSerializerOptions s_format = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <param name="Value">What holds instead.</param>
    /// <param name="Configured">What the configuration said at that time.</param>
    public readonly record struct Adjustment(double Value, double Configured);

    public bool Paused { get; init; }

    /// <summary>By the name of a <see cref="RunSetting"/>.</summary>
    public IReadOnlyDictionary<string, Adjustment> Settings { get; init; } = new Dictionary<string, Adjustment>();

    /// <summary>Reads what a folder keeps, and forgets what the configuration has overtaken.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="configured">The run as configured.</param>
    /// <param name="notice">Told what is in force or forgotten, a sentence each.</param>
    public static RunAdjustments Load(string folder, RunOptions configured, Action<string> notice)
    {
        var path = Path.Combine(folder, FileName);
        RunAdjustments kept;
        try
        {
            if (!File.Exists(path))
                return new RunAdjustments();
            kept = JsonSerializer.Deserialize<RunAdjustments>(File.ReadAllBytes(path), s_format) ?? new RunAdjustments();
            kept = kept with { Settings = kept.Settings ?? new Dictionary<string, Adjustment>() }; // a file that says null
        }
        catch (Exception failure) when (failure is JsonException or IOException or UnauthorizedAccessException)
        {
            notice($"{path} cannot be read ({failure.Message.Split('\n')[0]}): the run goes on as configured");
            return new RunAdjustments();
        }
        var settings = new Dictionary<string, Adjustment>();
        foreach (var setting in RunSetting.All.Where(setting => kept.Settings.ContainsKey(setting.Name)))
        {
            var adjustment = kept.Settings[setting.Name];
            var now = setting.Read(configured);
            if (adjustment.Value == now)
                continue;
            if (!setting.Allows(adjustment.Value))
                notice(FormattableString.Invariant($"{path} says {setting.Name} = {adjustment.Value}, which is out of its range: {setting.Write(now)}, as configured"));
            else if (now != adjustment.Configured)
                notice($"{setting.Name} = {setting.Write(now)}, as the configuration says by now, instead of {setting.Write(adjustment.Value)}, which was set before");
            else
            {
                notice($"{setting.Name} = {setting.Write(adjustment.Value)}, as was set while the run went on, instead of the configuration's {setting.Write(now)}");
                settings.Add(setting.Name, adjustment);
            }
        }
        if (kept.Paused)
            notice("the run is paused, as it was before: streaming resume goes on");
        return new RunAdjustments { Paused = kept.Paused, Settings = settings };
    }

    /// <summary>The run with these adjustments.</summary>
    public RunOptions ApplyTo(RunOptions configured)
    {
        var run = configured with { Paused = Paused };
        foreach (var setting in RunSetting.All)
        {
            if (Settings.TryGetValue(setting.Name, out var adjustment))
                run = setting.Apply(run, adjustment.Value);
        }
        return run;
    }

    public RunAdjustments With(IReadOnlyDictionary<string, double?> values, RunOptions configured)
    {
        var settings = new Dictionary<string, Adjustment>(Settings);
        foreach (var (name, value) in values)
        {
            if (value is { } number && number != RunSetting.Named(name).Read(configured))
                settings[name] = new Adjustment(number, RunSetting.Named(name).Read(configured));
            else
                settings.Remove(name);
        }
        return this with { Settings = settings };
    }

    /// <summary>Puts them on the disk, whole or not at all.</summary>
    /// <exception cref="IOException">The disk is full, say.</exception>
    public void Save(string folder) => DurableFiles.Write(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(this, s_format));
}
