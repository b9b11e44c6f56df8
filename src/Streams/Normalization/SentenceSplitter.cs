using System.Buffers;
using Streaming.Streams.Text;

namespace Streaming.Streams.Normalization;

/// <summary>
/// Splits Japanese text into sentences exactly as <c>ssplit</c> of textformatting does. A sentence ends after a run of
/// end marks (。．？！♪…?!) if every parenthesis and quotation opened on its line is closed there; a line end ends one
/// in any case. A closing mark too many also holds sentences together, up to the line end. Sentences are trimmed of
/// what Python calls whitespace; those with nothing left are dropped. No allocation, thread-safe.
/// </summary>
public static class SentenceSplitter
{
    private static readonly SearchValues<char> Marks = SearchValues.Create("。．？！♪…?!（()）「“」”\n");

    /// <summary>Adds each sentence of <paramref name="text"/> to <paramref name="destination"/> as one complete line and returns how many there are.</summary>
    /// <param name="text">Text of one or more lines, separated by <c>\n</c>; usually normalised.</param>
    /// <param name="destination">A batch without an unfinished line.</param>
    public static int Split(ReadOnlySpan<char> text, TextBatch destination)
    {
        var countBefore = destination.Count;
        var parentheses = 0;
        var quotations = 0;
        var start = 0;
        var position = 0;
        while (true)
        {
            var found = text[position..].IndexOfAny(Marks);
            if (found < 0)
                break;
            position += found;
            var mark = text[position++];
            switch (mark)
            {
                case '（' or '(':
                    parentheses++;
                    break;
                case '）' or ')':
                    parentheses--;
                    break;
                case '「' or '“':
                    quotations++;
                    break;
                case '」' or '”':
                    quotations--;
                    break;
                case '\n':
                    AppendTrimmed(text[start..position], destination);
                    start = position;
                    parentheses = quotations = 0;
                    break;
                default:
                    while (position < text.Length && IsEndMark(text[position]))
                        position++;
                    if (parentheses != 0 || quotations != 0)
                        break;
                    AppendTrimmed(text[start..position], destination);
                    start = position;
                    break;
            }
        }

        AppendTrimmed(text[start..], destination);
        return destination.Count - countBefore;
    }

    private static bool IsEndMark(char character) => character is '。' or '．' or '？' or '！' or '♪' or '…' or '?' or '!';

    private static void AppendTrimmed(ReadOnlySpan<char> sentence, TextBatch destination)
    {
        var start = 0;
        var end = sentence.Length;
        while (end > start && IsPythonSpace(sentence[end - 1]))
            end--;
        while (start < end && IsPythonSpace(sentence[start]))
            start++;
        if (end > start)
            destination.AppendLine(sentence[start..end]);
    }

    // str.isspace counts the four information separators, char.IsWhiteSpace does not; otherwise they agree.
    private static bool IsPythonSpace(char character) => char.IsWhiteSpace(character) || character is >= '\u001C' and <= '\u001F';
}
