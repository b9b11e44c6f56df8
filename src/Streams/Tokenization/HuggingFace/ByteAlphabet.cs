namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>
/// The 256 visible characters that stand for bytes in byte-level vocabularies, as GPT-2 chose them: printable Latin-1 stands
/// for itself, the other bytes for U+0100 and up, in order.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] _characters = Characters();
    private static readonly Dictionary<char, byte> _bytes = Enumerable.Range(0, 256).ToDictionary(value => _characters[value], value => (byte)value);

    /// <summary>Byte → character.</summary>
    public static ReadOnlySpan<char> OfBytes => _characters;

    public static bool TryGetByte(char character, out byte value) => _bytes.TryGetValue(character, out value);

    private static char[] Characters()
    {
        var characters = new char[256];
        var next = 0x100;
        for (var value = 0; value < 256; value++)
            characters[value] = value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF ? (char)value : (char)next++;
        return characters;
    }
}
