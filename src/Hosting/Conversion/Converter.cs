using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Conversion;

/// <summary>A conversion that is done: the file's text, and what each setting became.</summary>
/// <param name="Report">Lines for people, by file.</param>
/// <param name="Open">Settings that somebody must look at: without a counterpart, or not known.</param>
internal sealed record Conversion(string Hocon, IReadOnlyList<string> Report, int Open);

/// <summary>Turns the arguments of <c>run_clm.py</c> and a DeepSpeed file into a configuration.</summary>
internal static class Converter
{
    /// <param name="trainerFile">The arguments as JSON (<c>hf_config.json</c>).</param>
    /// <param name="deepSpeedFile">The DeepSpeed file; null takes the one that the arguments name, if any.</param>
    /// <exception cref="UserErrorException">A file is no JSON, a value is of the wrong type or out of range, or the files contradict each other.</exception>
    public static Conversion Convert(string trainerFile, string? deepSpeedFile, ConvertOptions options)
    {
        var result = new ConvertedConfiguration();
        var given = new SettingsReader(PlacedJson.ReadObject(trainerFile));
        var (deepSpeedSection, deepSpeedName) = FindDeepSpeed(given, deepSpeedFile);
        var deepSpeed = new DeepSpeedConversion(deepSpeedSection, given, result);
        deepSpeed.Decide();
        var trainer = new TrainerConversion(given, deepSpeed, result, options);
        trainer.Convert();
        deepSpeed.Convert();

        var accounts = new List<(string Title, Outcome[] Outcomes)>
        {
            (trainerFile, [.. given.Account(Meaningless.Trainer)]),
            ("not given, so as Transformers has it", [.. trainer.Defaults]),
        };
        if (deepSpeedName is not null)
            accounts.Add((deepSpeedName, [.. deepSpeed.Sections.SelectMany(section => section.Account(Meaningless.DeepSpeed))]));
        var report = accounts.Where(account => account.Outcomes.Length > 0)
            .SelectMany(account => account.Outcomes.Select(outcome => outcome.ToString()).Prepend(account.Title + ":")).ToList();
        var files = deepSpeedName is null ? trainerFile : $"{trainerFile} and {deepSpeedName}";
        var hocon = result.ToHocon(
        [
            $"Made by streaming convert from {files}.",
            "What is left out has its built-in value: streaming config --config FILE shows all.",
        ]);
        return new Conversion(hocon, report, accounts.Sum(account => account.Outcomes.Count(outcome => outcome.Kind is OutcomeKind.NoCounterpart or OutcomeKind.NotKnown)));
    }

    // The arguments may name the file, or hold what stands in it.
    private static (SettingsReader? Section, string? Name) FindDeepSpeed(SettingsReader given, string? file)
    {
        if (file is null && given.Find("deepspeed") is { IsObject: true } inline)
        {
            given.NoMeaning("deepspeed", "its settings follow");
            return (new SettingsReader(inline), $"deepspeed in {inline.Origin.Source}");
        }
        if (file is null && given.Text("deepspeed") is { Length: > 0 } named)
        {
            file = Path.GetFullPath(named, given.Section.Origin.Folder);
            given.NoMeaning("deepspeed", "its settings follow");
        }
        return file is null ? (null, null) : (new SettingsReader(PlacedJson.ReadObject(file)), file);
    }
}
