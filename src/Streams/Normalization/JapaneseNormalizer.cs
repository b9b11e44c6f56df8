using System.Buffers;
using Streaming.Streams.Text;
using static Streaming.Streams.Normalization.CharacterTable;

namespace Streaming.Streams.Normalization;

/// <summary>
/// Normalises Japanese text exactly as <c>neologdn.normalize</c> 0.5.6 does with its defaults: full-width letters, digits
/// and signs become ASCII, half-width kana full-width and joined with their voicing marks, hyphens and long vowel marks
/// become one of their kind and runs of them one character, tildes go, and spaces go where they touch Japanese text.
/// One pass, no allocation, thread-safe. NULs and lone surrogates, at which neologdn raises, pass through as they are.
/// </summary>
public static class JapaneseNormalizer
{
    private const char ByteOrderMark = '\uFEFF';

    /// <summary>Adds the normalised <paramref name="line"/> to the unfinished line of <paramref name="destination"/>, without ending it.</summary>
    public static void Normalize(ReadOnlySpan<char> line, TextBatch destination) =>
        destination.Advance(Normalize(line, destination.GetSpan(line.Length)));

    /// <summary>The normalised <paramref name="line"/> as a string.</summary>
    public static string Normalize(string line)
    {
        var scratch = ArrayPool<char>.Shared.Rent(line.Length);
        var normalized = new string(scratch, 0, Normalize(line, scratch));
        ArrayPool<char>.Shared.Return(scratch);
        return normalized;
    }

    /// <summary>Writes the normalised <paramref name="line"/> into <paramref name="destination"/> and returns its length in UTF-16 units.</summary>
    /// <param name="line">Text to normalise.</param>
    /// <param name="destination">At least as long as <paramref name="line"/>, and no part of it: the result is never longer.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is shorter than <paramref name="line"/>.</exception>
    public static int Normalize(ReadOnlySpan<char> line, Span<char> destination)
    {
        if (destination.Length < line.Length)
            throw new ArgumentException($"the destination has room for {destination.Length} characters, the line has {line.Length}", nameof(destination));

        var kinds = Kinds;
        var written = 0;
        // The last character seen, which is not always the last one written: a dropped space counts, a dropped tilde does not.
        var previous = '\0';
        // Whether the last character written is a space after basic Latin, which a Japanese character takes back.
        var latinSpace = false;

        foreach (var unit in line)
        {
            var character = unit;
            var kind = kinds[character];
            if ((kind & Kind.Special) != 0)
            {
                if ((kind & Kind.Space) != 0)
                {
                    var before = kinds[previous];
                    if (written == 0 || previous == ' ' || (before & Kind.Cjk) != 0)
                        continue;
                    if ((before & Kind.BasicLatin) != 0 && previous != '*')
                    {
                        latinSpace = true;
                        destination[written++] = ' ';
                    }

                    previous = ' ';
                    continue;
                }

                if ((kind & Kind.Tilde) != 0)
                    continue;

                if ((kind & (Kind.Hyphen | Kind.LongVowel)) != 0)
                {
                    character = (kind & Kind.Hyphen) != 0 ? '-' : 'ー';
                    if (previous == character)
                        continue;
                    latinSpace = false; // the space before a dash stays
                    kind = Kind.Ordinary;
                }
                else
                {
                    character = Replacements[character];
                    kind = kinds[character];
                    if (character is VoicedMark or SemiVoicedMark && written > 0 && Combine(previous, character) is var joined and not '\0')
                    {
                        written--;
                        character = joined;
                    }
                }
            }

            if (latinSpace)
            {
                if ((kind & Kind.Cjk) != 0)
                    written--;
                latinSpace = false;
            }

            destination[written++] = character;
            previous = character;
        }

        if (written > 0 && destination[written - 1] == ' ')
            written--;
        return WithoutByteOrderMark(destination, written);
    }

    /// <summary>neologdn hands its result through a UTF-32 decoder, which takes one leading byte order mark away.</summary>
    private static int WithoutByteOrderMark(Span<char> text, int length)
    {
        if (length == 0 || text[0] != ByteOrderMark)
            return length;
        text[1..length].CopyTo(text);
        return length - 1;
    }
}
