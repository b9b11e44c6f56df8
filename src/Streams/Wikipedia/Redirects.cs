using System.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>Pages that only lead to another, known by how their text begins.</summary>
internal static class Redirects
{
    /// <summary>Whether a text begins with <c>#REDIRECT [[…]]</c> or the same in Japanese and some other languages.</summary>
    public static bool IsRedirect(ReadOnlySpan<byte> wikitext)
    {
        var text = wikitext.TrimStart(" \t\r\n"u8);
        if (text.StartsWith("#"u8))
            text = text[1..];
        else if (text.StartsWith("＃"u8))
            text = text[3..];
        else
            return false;
        text = text.TrimStart(" \t"u8);
        if (text.Length >= 8 && Ascii.EqualsIgnoreCase(text[..8], "REDIRECT"u8))
            return true;
        return text.StartsWith("転送"u8) || text.StartsWith("リダイレクト"u8) || text.StartsWith("重定向"u8) || text.StartsWith("넘겨주기"u8)
            || text.StartsWith("ВИЖ"u8) || text.StartsWith("виж"u8) || text.StartsWith("WEITERLEITUNG"u8) || text.StartsWith("перенаправление"u8);
    }
}
