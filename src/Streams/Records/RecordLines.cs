using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>Turns the text of one record into the lines of a batch, as they would stand in a file of lines: without line ends and empty lines.</summary>
internal static class RecordLines
{
    /// <summary>Moves the unfinished line of <paramref name="text"/> over; false where nothing but line ends was in it.</summary>
    public static bool Move(TextBatch text, TextBatch lines)
    {
        var before = lines.Count;
        foreach (var range in text.Pending.Split('\n'))
        {
            var line = text.Pending[range];
            if (line is [.., '\r'])
                line = line[..^1];
            if (line.Length > 0)
                lines.AppendLine(line);
        }
        text.DiscardPending();
        return lines.Count > before;
    }
}
