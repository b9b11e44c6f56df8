using System.CommandLine;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Terminal;
using Streaming.Streams;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Instructions;
using Streaming.Streams.Sources;
using Streaming.Streams.Sources.Http;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming inspect</c>: what cleaning keeps and drops of a source, and why; of instructions, what is trained on.</summary>
internal static class InspectCommand
{
    private static readonly Dictionary<string, SourceKind> _kinds = new()
    {
        ["auto"] = SourceKind.Auto,
        ["lines"] = SourceKind.Lines,
        ["wikipedia"] = SourceKind.Wikipedia,
        ["jsonl"] = SourceKind.JsonLines,
        ["parquet"] = SourceKind.Parquet,
    };

    private static readonly Dictionary<string, CleaningOptions> _presets = new()
    {
        ["off"] = CleaningOptions.Off,
        ["web"] = CleaningOptions.Web with { Duplicates = DuplicateOptions.Web },
        ["wikipedia"] = CleaningOptions.Wikipedia with { Duplicates = DuplicateOptions.Web },
    };

    public static Command Create()
    {
        var configuration = new ConfigurationOptions();
        var source = new Option<string>("--source") { Description = "Name of a configured source, or a file, folder or glob.", HelpName = "S", Required = true };
        var limit = new Option<int>("--limit") { Description = "Documents, or records of instructions, to show.", HelpName = "N", DefaultValueFactory = _ => 20 };
        var kind = new Option<string>("--kind") { Description = "What a file holds, where the source is no configured one.", DefaultValueFactory = _ => "auto" };
        var preset = new Option<string?>("--cleaning") { Description = "Rules to show instead of the source's own; web for a file." };
        kind.AcceptOnlyFromAmong([.. _kinds.Keys]);
        preset.AcceptOnlyFromAmong([.. _presets.Keys]);
        var command = new Command("inspect", "Show which lines and documents of a source cleaning keeps and drops, each with the reason, and a summary by reason; with data.format = instructions, prompts and answers as they are trained on, and the lengths of all.") { source, limit, kind, preset };
        configuration.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            if (parsed.GetValue(limit) < 1)
                throw new UserErrorException($"--limit must be 1 or more, was {parsed.GetValue(limit)}.");
            var data = RunOptionsBuilder.BuildData(configuration.Load(parsed));
            var options = Find(parsed.GetRequiredValue(source), _kinds[parsed.GetRequiredValue(kind)], data.Sources);
            if (data.Instructions is not null)
            {
                if (parsed.GetValue(preset) is not null)
                    throw new UserErrorException("--cleaning is about text, and data.format is instructions, which are taken as they are; leave it out.");
                Show(data with { Http = data.Http with { OnNotice = Screen.ForConsole().WriteNotice } }, options with { Cleaning = null }, parsed.GetValue(limit), InspectionReport.For(parsed.InvocationConfiguration.Output), cancellation);
                return Task.FromResult(ExitCodes.Done);
            }
            if (parsed.GetValue(preset) is { } rules)
                options = options with { Cleaning = _presets[rules] };
            Show(options, data.Http with { OnNotice = Screen.ForConsole().WriteNotice }, parsed.GetValue(limit), InspectionReport.For(parsed.InvocationConfiguration.Output), cancellation);
            return Task.FromResult(ExitCodes.Done);
        });
        return command;
    }

    private static SourceOptions Find(string name, SourceKind kind, IReadOnlyList<SourceOptions> configured)
    {
        if (configured.FirstOrDefault(source => source.Name == name) is { } found)
            return found;
        var isPath = name == SourceFile.StandardInput || name.Contains('*') || name.Contains("://") || File.Exists(name) || Directory.Exists(name);
        return isPath
            ? new SourceOptions { Name = name, Paths = [name], Kind = kind, Cleaning = _presets["web"] }
            : throw new UserErrorException($"--source: {name} is neither a file nor a configured source; those are {string.Join(", ", configured.Select(source => source.Name))}.");
    }

    /// <summary>The first records, and the lengths of all.</summary>
    private static void Show(PipelineOptions data, SourceOptions source, int limit, InspectionReport report, CancellationToken cancellation)
    {
        try
        {
            var inspection = new InstructionInspection(data, source);
            var (trained, heldOut) = (new RecordLengths(), new RecordLengths());
            var shown = 0;
            foreach (var record in inspection.Records(Split.Train, cancellation))
            {
                trained.Add(record);
                if (shown++ < limit)
                    report.Write(record, inspection, data.BlockSize);
            }
            foreach (var record in data.ValidationFraction > 0 ? inspection.Records(Split.Validation, cancellation) : [])
                heldOut.Add(record);
            report.WriteSummary([("trained on", trained), ("held out", heldOut)], inspection.Source, data.BlockSize);
        }
        catch (Exception mistake) when (mistake is SourceException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
        }
    }

    private static void Show(SourceOptions source, HttpOptions http, int limit, InspectionReport report, CancellationToken cancellation)
    {
        try
        {
            var inspection = new SourceInspection(source with { Cleaning = source.Cleaning is { } cleaning ? cleaning with { RejectedFile = null } : null }, http);
            if (source.Cleaning is null)
                report.Note($"source {source.Name} is not cleaned; --cleaning web shows what those rules would do");
            foreach (var document in inspection.Documents(cancellation).Take(limit))
                report.Write(document);
            report.WriteSummary(inspection.Source);
        }
        catch (Exception mistake) when (mistake is SourceException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
        }
    }
}
