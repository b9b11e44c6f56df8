using System.Text.Json;

namespace Streaming.Streams.Records;

/// <summary>What the JSON reader says of a mistake, fit for one sentence.</summary>
public static class JsonMistake
{
    /// <summary>What is wrong and where, without the line ends and control characters of the text that it quotes.</summary>
    public static string InWords(Exception mistake)
    {
        var sentence = mistake.Message.Split([" LineNumber:", " Path:", ". "], 2, StringSplitOptions.None)[0].TrimEnd('.');
        var place = mistake is JsonException { LineNumber: { } line, BytePositionInLine: { } at } ? $" (line {line + 1}, byte {at + 1})" : "";
        return string.Concat(sentence.Select(letter => char.IsControl(letter) ? ' ' : letter)) + place;
    }
}
