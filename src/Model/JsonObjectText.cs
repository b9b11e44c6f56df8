namespace Streaming.Model;

/// <summary>What the JSON reader says of a mistake, fit for one sentence.</summary>
internal static class JsonObjectText
{
    /// <summary>The message without the line ends and control characters of the text that it quotes.</summary>
    public static string OneLine(string message) => string.Concat(message.Select(letter => char.IsControl(letter) ? ' ' : letter));
}
