namespace Streaming.Streams.Wikipedia;

/// <summary>
/// Mends a line where something was taken out: parentheses that hold nothing but punctuation go, and so does punctuation
/// that separates nothing. Parentheses that were empty in the article stay.
/// </summary>
internal static class EmptiedBrackets
{
    private const int Reach = 64; // bytes that are looked at on each side

    /// <summary>Mends the line in place.</summary>
    /// <param name="line">UTF-8.</param>
    /// <param name="removals">Places in the line where something was taken out, in order.</param>
    /// <returns>Bytes that are left, at the start.</returns>
    public static int Close(Span<byte> line, ReadOnlySpan<int> removals)
    {
        var (read, written) = (0, 0);
        foreach (var removal in removals)
        {
            if (removal < read)
                continue;
            line[read..removal].CopyTo(line[written..]);
            written += removal - read;
            read = removal;
            while (Mend(line, ref written, ref read)) { }
            var hasRoom = read > written && written > 0 && read < line.Length;
            if (hasRoom && Delimiters.Meet(line[written - 1], line[read]))
                line[written++] = (byte)' ';
        }
        line[read..].CopyTo(line[written..]);
        return written + line.Length - read;
    }

    /// <summary>Mends the place between what is written and what is to be read; true where brackets were closed.</summary>
    private static bool Mend(Span<byte> line, ref int written, ref int read)
    {
        var before = SkipBack(line[..written], withDashes: false);
        var after = Skip(line[read..], withDashes: false);
        var opening = OpeningLength(line[..(written - before)]);
        var closing = ClosingLength(line[(read + after)..]);
        var isOpened = opening > 0;
        var isClosed = closing > 0;
        if (!isOpened || !isClosed)
        {
            var (farBefore, farAfter) = (SkipBack(line[..written], withDashes: true), Skip(line[read..], withDashes: true));
            var (farOpening, farClosing) = (OpeningLength(line[..(written - farBefore)]), ClosingLength(line[(read + farAfter)..]));
            if (farOpening > 0 && farClosing > 0)
                (before, after, opening, closing, isOpened, isClosed) = (farBefore, farAfter, farOpening, farClosing, true, true);
        }
        if (isOpened && isClosed)
        {
            written -= before + opening;
            read += after + closing;
            return true;
        }
        if (isOpened)
        {
            written -= before;
            read += after;
        }
        else if (isClosed)
        {
            written -= before;
            read += after;
        }
        else
        {
            JoinPunctuation(line, ref written, ref read);
        }
        return false;
    }

    /// <summary>A blank before punctuation goes, and so does the second of two commas with nothing between.</summary>
    private static void JoinPunctuation(Span<byte> line, ref int written, ref int read)
    {
        var blanks = line[..written].EndsWith(" "u8) ? 1 : 0;
        var before = line[..(written - blanks)];
        var rest = line[read..];
        if (before.EndsWith(","u8) && rest.StartsWith(","u8))
            (written, read) = (written - blanks, read + 1);
        else if (before.EndsWith("、"u8) && rest.StartsWith("、"u8))
            (written, read) = (written - blanks, read + 3);
        else if (blanks > 0 && !before.IsEmpty && StartsPunctuation(rest))
            written--;
    }

    private static bool StartsPunctuation(ReadOnlySpan<byte> text) =>
        text is [(byte)',' or (byte)'.' or (byte)';' or (byte)':', (byte)' ', ..] or [(byte)',' or (byte)'.']
        || text.StartsWith("、"u8) || text.StartsWith("。"u8);

    private static int OpeningLength(ReadOnlySpan<byte> text) => text.EndsWith("("u8) ? 1 : text.EndsWith("（"u8) ? 3 : 0;

    private static int ClosingLength(ReadOnlySpan<byte> text) => text.StartsWith(")"u8) ? 1 : text.StartsWith("）"u8) ? 3 : 0;

    private static int Skip(ReadOnlySpan<byte> text, bool withDashes)
    {
        var length = 0;
        while (length < Math.Min(text.Length, Reach) && SeparatorLength(text[length..], withDashes) is > 0 and var separator)
            length += separator;
        return length;
    }

    private static int SkipBack(ReadOnlySpan<byte> text, bool withDashes)
    {
        var length = 0;
        while (length < Reach && length < text.Length)
        {
            var end = text.Length - length;
            var start = end - 1;
            while (start > 0 && end - start < 3 && (text[start] & 0xC0) == 0x80)
                start--;
            var separator = SeparatorLength(text[start..end], withDashes);
            if (separator != end - start)
                break;
            length += separator;
        }
        return length;
    }

    private static int SeparatorLength(ReadOnlySpan<byte> text, bool withDashes)
    {
        if (text[0] < 0x80)
            return text[0] is (byte)' ' or (byte)'\t' or (byte)',' or (byte)';' or (byte)':' or (byte)'/' || (withDashes && text[0] is (byte)'-' or (byte)'.') ? 1 : 0;
        if (text is [0xC2, 0xA0, ..])
            return 2;
        if (text.Length < 3 || text[0] is not (0xE2 or 0xE3 or 0xEF))
            return 0;
        var character = ((text[0] & 0x0F) << 12) | ((text[1] & 0x3F) << 6) | (text[2] & 0x3F);
        var isSeparator = (char)character is '\u3000' or '、' or '，' or '；' or '：' or '・' or '／'
            || (withDashes && (char)character is '。' or '–' or '—' or '―' or '－' or '～' or '〜' or '．');
        return isSeparator ? 3 : 0;
    }
}
