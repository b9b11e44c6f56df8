using System.Globalization;
using System.Net;
using System.Text;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Measurement;

/// <summary>Draws what went on in each lane of an offloading engine: a row a lane, a box a piece of work, milliseconds from left to right.</summary>
public static class StepTimeline
{
    private const int Width = 1200, Left = 110, Right = 20, Top = 64, RowHeight = 46, BoxHeight = 30;

    private static readonly (Lane Lane, string Name)[] s_rows =
        [(Lane.In, "host → GPU"), (Lane.Compute, "passes"), (Lane.Update, "updates"), (Lane.Out, "GPU → host")];

    // Told apart in grey too.
    private static readonly Dictionary<string, string> s_colours = new()
    {
        ["forward"] = "#4c78a8",
        ["classifier"] = "#9ecae9",
        ["backward"] = "#1f3d63",
        ["gradient norm"] = "#000000",
        ["update"] = "#e45756",
        ["state in"] = "#f58518",
        ["state out"] = "#ffbf79",
        ["weights in"] = "#54a24b",
        ["weights out"] = "#7b5ea7",
        ["gradient in"] = "#88d27a",
        ["gradient out"] = "#b79a20",
    };

    /// <summary>An SVG image.</summary>
    /// <param name="spans">What was done.</param>
    /// <param name="title">Of what.</param>
    public static string Draw(IReadOnlyList<LaneSpan> spans, string title)
    {
        var (first, last) = (spans.Min(span => span.From), spans.Max(span => span.To));
        var height = Top + s_rows.Length * RowHeight + 70;
        var scale = (Width - Left - Right) / (last - first);
        var svg = new StringBuilder();
        svg.AppendLine(Text($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"13\">"));
        svg.AppendLine(Text($"<rect width=\"{Width}\" height=\"{height}\" fill=\"#ffffff\"/>"));
        svg.AppendLine(Text($"<text x=\"{Left}\" y=\"24\" font-size=\"15\">{WebUtility.HtmlEncode(title)}</text>"));
        Legend(svg, spans);
        for (var row = 0; row < s_rows.Length; row++)
        {
            var y = Top + row * RowHeight;
            svg.AppendLine(Text($"<text x=\"{Left - 10}\" y=\"{y + 20}\" text-anchor=\"end\">{s_rows[row].Name}</text>"));
            svg.AppendLine(Text($"<rect x=\"{Left}\" y=\"{y}\" width=\"{Width - Left - Right}\" height=\"{BoxHeight}\" fill=\"#f2f2f2\"/>"));
            foreach (var span in spans.Where(span => span.Lane == s_rows[row].Lane))
                svg.AppendLine(Text($"<rect x=\"{Left + (span.From - first) * scale:F2}\" y=\"{y}\" width=\"{Math.Max(0.3, (span.To - span.From) * scale - 0.4):F2}\" height=\"{BoxHeight}\" fill=\"{ColourOf(span.Work)}\"/>"));
        }
        Axis(svg, last - first, scale, Top + s_rows.Length * RowHeight);
        svg.AppendLine("</svg>");
        return svg.ToString();
    }

    private static void Legend(StringBuilder svg, IReadOnlyList<LaneSpan> spans)
    {
        var x = Left;
        foreach (var work in s_colours.Keys.Where(work => spans.Any(span => span.Work == work)))
        {
            svg.AppendLine(Text($"<rect x=\"{x}\" y=\"36\" width=\"12\" height=\"12\" fill=\"{ColourOf(work)}\"/><text x=\"{x + 16}\" y=\"47\">{work}</text>"));
            x += 30 + 7 * work.Length;
        }
    }

    private static void Axis(StringBuilder svg, double length, double scale, int y)
    {
        var step = Math.Pow(10, Math.Floor(Math.Log10(length / 4)));
        while (length / step > 12) step *= length / step > 24 ? 5 : 2;
        for (var time = 0.0; time <= length; time += step)
        {
            var x = Left + time * scale;
            svg.AppendLine(Text($"<line x1=\"{x:F1}\" y1=\"{Top}\" x2=\"{x:F1}\" y2=\"{y}\" stroke=\"#cccccc\" stroke-width=\"0.5\"/><text x=\"{x:F1}\" y=\"{y + 18}\" text-anchor=\"middle\">{time:G4}</text>"));
        }
        svg.AppendLine(Text($"<text x=\"{Width - Right}\" y=\"{y + 40}\" text-anchor=\"end\">milliseconds</text>"));
    }

    private static string ColourOf(string work) => s_colours.GetValueOrDefault(work, "#888888");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
