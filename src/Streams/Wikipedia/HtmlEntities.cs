using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>HTML's character references, named and numbered, in UTF-8.</summary>
internal static class HtmlEntities
{
    /// <summary>UTF-8 bytes that one reference becomes at most.</summary>
    public const int LongestText = 8;

    private const int LongestName = 31;

    // What HTML reads for the numbers 128 to 159: the characters of Windows-1252.
    private const string Windows1252 =
        "\u20AC\u0081\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\u008D\u017D\u008F\u0090\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\u009D\u017E\u0178";

    private static readonly FrozenDictionary<string, byte[]>.AlternateLookup<ReadOnlySpan<char>> Named =
        ReadNames().GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>
    /// Decodes the reference at the start of <paramref name="text"/>, which is its ampersand. One that was escaped twice
    /// (<c>&amp;amp;nbsp;</c>) is decoded twice.
    /// </summary>
    /// <param name="text">From the ampersand on.</param>
    /// <param name="decoded">Receives the text, <see cref="LongestText"/> bytes at most.</param>
    /// <param name="written">Bytes of the text.</param>
    /// <returns>Bytes of the reference; 0 where there is none, and the ampersand is one.</returns>
    public static int Decode(ReadOnlySpan<byte> text, Span<byte> decoded, out int written)
    {
        var taken = DecodeOnce(text, decoded, out written);
        if (taken == 0 || written != 1 || decoded[0] != (byte)'&')
            return taken;
        Span<byte> again = stackalloc byte[LongestName + 3];
        var rest = text[taken..];
        rest = rest[..Math.Min(rest.Length, again.Length - 1)];
        again[0] = (byte)'&';
        rest.CopyTo(again[1..]);
        Span<byte> twice = stackalloc byte[LongestText];
        var more = DecodeOnce(again[..(rest.Length + 1)], twice, out var length);
        if (more == 0)
            return taken;
        twice[..length].CopyTo(decoded);
        written = length;
        return taken + more - 1;
    }

    private static int DecodeOnce(ReadOnlySpan<byte> text, Span<byte> decoded, out int written)
    {
        written = 0;
        var end = text[..Math.Min(text.Length, LongestName + 2)].IndexOf((byte)';');
        if (end < 2)
            return 0;
        var name = text[1..end];
        if (name[0] == (byte)'#')
            return DecodeNumber(name[1..], decoded, out written) ? end + 1 : 0;
        Span<char> characters = stackalloc char[LongestName];
        for (var index = 0; index < name.Length; index++)
        {
            if (!char.IsAsciiLetterOrDigit((char)name[index]))
                return 0;
            characters[index] = (char)name[index];
        }
        if (!Named.TryGetValue(characters[..name.Length], out var value))
            return 0;
        value.CopyTo(decoded);
        written = value.Length;
        return end + 1;
    }

    private static bool DecodeNumber(ReadOnlySpan<byte> digits, Span<byte> decoded, out int written)
    {
        written = 0;
        var isHexadecimal = digits is [(byte)'x' or (byte)'X', ..];
        if (!int.TryParse(isHexadecimal ? digits[1..] : digits, isHexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return false;
        if (number is >= 128 and < 160)
            number = Windows1252[number - 128];
        if (number == 0 || !Rune.TryCreate(number, out var rune))
            return false;
        // A line feed by number is white space, not the end of a line.
        if (number < ' ')
            rune = new Rune(' ');
        written = rune.EncodeToUtf8(decoded);
        return true;
    }

    private static FrozenDictionary<string, byte[]> ReadNames()
    {
        using var stream = typeof(HtmlEntities).Assembly.GetManifestResourceStream("html-entities.txt")
            ?? throw new InvalidOperationException("the table of entities is not part of the assembly");
        using var reader = new StreamReader(stream);
        var names = new Dictionary<string, byte[]>();
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
                continue;
            var fields = line.Split(' ');
            var text = string.Concat(fields.Skip(1).Select(field => new Rune(int.Parse(field, NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToString()));
            names.Add(fields[0], Encoding.UTF8.GetBytes(text == "\n" ? " " : text));
        }
        return names.ToFrozenDictionary();
    }
}
