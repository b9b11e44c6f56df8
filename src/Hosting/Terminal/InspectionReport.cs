using System.Globalization;
using System.Text;
using Streaming.Hosting.Text;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Measurement;

namespace Streaming.Hosting.Terminal;

/// <summary>
/// Two columns: the verdict and the line. On a terminal what is dropped is dim with its reason in red, and lines are cut to
/// the width; elsewhere the text is whole and plain. Control characters in the text never reach the terminal.
/// </summary>
/// <param name="output">Where it goes.</param>
/// <param name="columns">Width of the terminal; null where output is none.</param>
/// <param name="hasColor">Colours may be used.</param>
internal sealed partial class InspectionReport(TextWriter output, int? columns, bool hasColor)
{
    private const int VerdictColumns = 30;
    private const string Kept = "keep";

    public static InspectionReport For(TextWriter output)
    {
        var isTerminal = output is StreamWriter { BaseStream: StandardOutput } && !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not ("dumb" or "" or null);
        return new InspectionReport(output, isTerminal ? Console.WindowWidth : null, isTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")));
    }

    public void Note(string text) => output.WriteLine(Paint("33", text));

    public void Write(InspectedDocument document)
    {
        var kept = document.Lines.Count(line => line.Reason == CleaningReason.None);
        var verdict = document.Reason != CleaningReason.None ? $"dropped: {document.Reason.Label()}" : $"{kept} of {document.Lines.Count} lines kept";
        output.WriteLine(Paint("1", $"── {document.File}, document {document.Record}: {verdict}"));
        foreach (var line in document.Lines)
        {
            var isKept = line.Reason == CleaningReason.None;
            var label = isKept ? Kept : $"drop {line.Reason.Label()}";
            output.WriteLine($"{Paint(isKept ? "32" : "31", label.PadRight(VerdictColumns))} {(isKept ? Fit(line.Text) : Paint("2", Fit(line.Text)))}");
        }
        output.WriteLine();
    }

    public void WriteSummary(SourceStatistics source)
    {
        var statistics = source.Cleaning;
        var total = Math.Max(1, statistics.TotalCharacters);
        output.WriteLine(Paint("1", Row("", "documents", "lines", "characters", "share")));
        foreach (var reason in CleaningReasons.All.Prepend(CleaningReason.None))
        {
            if (statistics.Lines(reason) == 0 && reason != CleaningReason.None)
                continue;
            var documents = reason == CleaningReason.None || reason.IsOfDocument() ? Quantity.Count(statistics.Documents(reason)) : "";
            output.WriteLine(Row(
                reason == CleaningReason.None ? "kept" : reason.Label(), documents, Quantity.Count(statistics.Lines(reason)), Quantity.Count(statistics.Characters(reason)),
                (100.0 * statistics.Characters(reason) / total).ToString("F2", CultureInfo.InvariantCulture) + " %"));
        }
        if (source.FirstRejection is { } first)
            Note($"{Quantity.Count(source.RejectedRecords)} {(source.RejectedRecords == 1 ? "record" : "records")} passed over; the first one is {first}");
    }

    private static string Row(string reason, string documents, string lines, string characters, string share) =>
        $"{reason,-VerdictColumns}{documents,12}{lines,12}{characters,14}{share,10}";

    private string Paint(string code, string text) => hasColor ? $"\e[{code}m{text}\e[0m" : text;

    private string Fit(string text, int before = VerdictColumns)
    {
        var room = (columns ?? int.MaxValue) - before - 2;
        var fitted = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            var width = rune.Value >= 0x1100 && rune.Value is not (>= 0xFF61 and <= 0xFF9F) ? 2 : 1;
            if ((room -= width) < 1)
                return fitted.Append('…').ToString();
            if (Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
                fitted.Append(rune.Value == '\t' ? ' ' : '\uFFFD');
            else
                fitted.Append(rune.ToString());
        }
        return fitted.ToString();
    }
}
