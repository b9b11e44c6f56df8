using System.Text.Json;

namespace Streaming.Model;

/// <summary>What the JSON reader says of a mistake, fit for one sentence.</summary>
internal static class JsonObjectText
{
    /// <summary>What is wrong and where, without the line ends and control characters of the text that it quotes.</summary>
    public static string OneLine(Exception mistake)
    {
        var sentence = mistake.Message.Split([" LineNumber:", " Path:", ". "], 2, StringSplitOptions.None)[0].TrimEnd('.');
        var place = mistake is JsonException { LineNumber: { } line, BytePositionInLine: { } at } ? $" (line {line + 1}, byte {at + 1})" : "";
        return OneLine(sentence) + place;
    }

    /// <summary>A text that is quoted, without its line ends and control characters.</summary>
    public static string OneLine(string quoted) => string.Concat(quoted.Select(letter => char.IsControl(letter) ? ' ' : letter));
}
