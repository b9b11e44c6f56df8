using System.Globalization;
using System.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>The character data of XML.</summary>
internal static class XmlText
{
    private const int LongestReference = 12;

    /// <summary>Decodes XML's references and its line ends (CR LF and CR are LF). What is no reference stays as it is.</summary>
    /// <param name="xml">Character data, UTF-8.</param>
    /// <param name="text">Receives the text; as long as <paramref name="xml"/> is enough.</param>
    /// <returns>Bytes of the text.</returns>
    public static int Decode(ReadOnlySpan<byte> xml, Span<byte> text)
    {
        var written = 0;
        while (true)
        {
            var next = xml.IndexOfAny((byte)'&', (byte)'\r');
            var plain = next < 0 ? xml : xml[..next];
            plain.CopyTo(text[written..]);
            written += plain.Length;
            if (next < 0)
                return written;
            xml = xml[next..];
            written += DecodeReference(xml, text[written..], out var taken);
            xml = xml[taken..];
        }
    }

    private static int DecodeReference(ReadOnlySpan<byte> xml, Span<byte> text, out int taken)
    {
        (taken, text[0]) = xml switch
        {
            [(byte)'\r', (byte)'\n', ..] => (2, (byte)'\n'),
            [(byte)'\r', ..] => (1, (byte)'\n'),
            [_, (byte)'l', (byte)'t', (byte)';', ..] => (4, (byte)'<'),
            [_, (byte)'g', (byte)'t', (byte)';', ..] => (4, (byte)'>'),
            [_, (byte)'a', (byte)'m', (byte)'p', (byte)';', ..] => (5, (byte)'&'),
            [_, (byte)'q', (byte)'u', (byte)'o', (byte)'t', (byte)';', ..] => (6, (byte)'"'),
            [_, (byte)'a', (byte)'p', (byte)'o', (byte)'s', (byte)';', ..] => (6, (byte)'\''),
            _ => (1, (byte)'&'),
        };
        return xml is [(byte)'&', (byte)'#', ..] ? DecodeNumber(xml, text, ref taken) : 1;
    }

    private static int DecodeNumber(ReadOnlySpan<byte> xml, Span<byte> text, ref int taken)
    {
        var end = xml[..Math.Min(xml.Length, LongestReference)].IndexOf((byte)';');
        if (end < 3)
            return 1;
        var digits = xml[2..end];
        var isHexadecimal = digits[0] == (byte)'x';
        var isNumber = int.TryParse(isHexadecimal ? digits[1..] : digits, isHexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        if (!isNumber || number == 0 || !Rune.TryCreate(number, out var rune))
            return 1;
        taken = end + 1;
        return rune.EncodeToUtf8(text);
    }
}
