namespace Streaming.Streams.Wikipedia;

/// <summary>Markup that nobody wrote: where something between is taken out, two halves of a delimiter may meet.</summary>
internal static class Delimiters
{
    /// <summary>Whether two characters that stood apart would make markup where they meet.</summary>
    public static bool Meet(byte last, byte first) => last switch
    {
        (byte)'{' => first is (byte)'{' or (byte)'|',
        (byte)'}' => first is (byte)'}',
        (byte)'[' => first is (byte)'[',
        (byte)']' => first is (byte)']',
        (byte)'|' => first is (byte)'}',
        (byte)'<' => char.IsAsciiLetter((char)first) || first is (byte)'/' or (byte)'!',
        (byte)'\'' => first is (byte)'\'',
        _ => false,
    };
}
