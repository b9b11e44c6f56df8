using System.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>Links to addresses: <c>[https://… label]</c>.</summary>
internal static class ExternalLinks
{
    private static ReadOnlySpan<byte> IdeographicSpace => [0xE3, 0x80, 0x80];

    /// <summary>Whether an address begins here.</summary>
    public static bool StartsWithProtocol(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
            return false;
        return (text[0] | 0x20) switch
        {
            'h' => Is(text, "http://"u8) || Is(text, "https://"u8),
            '/' => Is(text, "//"u8),
            'b' => Is(text, "bitcoin:"u8),
            'f' => Is(text, "ftp://"u8) || Is(text, "ftps://"u8),
            'g' => Is(text, "git://"u8) || Is(text, "gopher://"u8) || Is(text, "geo:"u8),
            'i' => Is(text, "irc://"u8) || Is(text, "ircs://"u8),
            'm' => Is(text, "mailto:"u8) || Is(text, "magnet:"u8) || Is(text, "mms://"u8),
            'n' => Is(text, "news:"u8) || Is(text, "nntp://"u8),
            'r' => Is(text, "redis://"u8),
            's' => Is(text, "sftp://"u8) || Is(text, "ssh://"u8) || Is(text, "svn://"u8) || Is(text, "sip:"u8) || Is(text, "sips:"u8) || Is(text, "sms:"u8),
            't' => Is(text, "tel:"u8) || Is(text, "telnet://"u8),
            'u' => Is(text, "urn:"u8),
            'w' => Is(text, "worldwind://"u8),
            'x' => Is(text, "xmpp:"u8),
            _ => false,
        };
    }

    /// <summary>Bytes of the address at the start of the text, as far as they are in it.</summary>
    public static int AddressLength(ReadOnlySpan<byte> text)
    {
        for (var index = 0; index < text.Length; index++)
        {
            if (text[index] is <= (byte)' ' or (byte)'[' or (byte)']' or (byte)'<' or (byte)'>' or (byte)'"' or 0x7F)
                return index;
            if (text[index] == 0xE3 && text[index..].StartsWith(IdeographicSpace))
                return index;
            if (text[index] == (byte)'\'' && text[index..].StartsWith("''"u8))
                return index;
        }
        return text.Length;
    }

    private static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> protocol) =>
        text.Length >= protocol.Length && Ascii.EqualsIgnoreCase(text[..protocol.Length], protocol);
}
