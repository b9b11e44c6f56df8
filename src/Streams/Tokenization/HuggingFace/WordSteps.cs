using System.Globalization;
using System.Text;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>What becomes of the matches that cut a word; names of the tokenizers library.</summary>
internal enum SplitBehavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous }

/// <summary>A step of a pre-tokenizer of the tokenizers library: cuts words further. Immutable.</summary>
internal abstract class WordStep
{
    /// <summary>Adds what becomes of one word.</summary>
    /// <param name="isAtStart">The word begins where the whole text began.</param>
    public abstract void Apply(ReadOnlySpan<char> word, bool isAtStart, WordList output);
}

/// <summary>Cuts at the matches of a pattern.</summary>
internal sealed class SplitWords(TextPattern pattern, SplitBehavior behavior, bool invert) : WordStep
{
    public override void Apply(ReadOnlySpan<char> word, bool isAtStart, WordList output)
    {
        output.Matches.Clear();
        pattern.Find(word, output.Matches);
        WordCut.Cut(word, output.Matches, behavior, invert, output);
    }
}

/// <summary>Cuts at characters of a kind.</summary>
internal sealed class SplitAtCharacters(Func<Rune, bool> isCut, SplitBehavior behavior) : WordStep
{
    public override void Apply(ReadOnlySpan<char> word, bool isAtStart, WordList output)
    {
        output.Matches.Clear();
        var at = 0;
        foreach (var character in word.EnumerateRunes())
        {
            if (isCut(character))
                output.Matches.Add((at, at + character.Utf16SequenceLength));
            at += character.Utf16SequenceLength;
        }
        WordCut.Cut(word, output.Matches, behavior, invert: false, output);
    }

    public static bool IsNumeric(Rune character) =>
        Rune.GetUnicodeCategory(character) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Of Unicode's punctuation, or of ASCII's, which has symbols too.</summary>
    public static bool IsPunctuation(Rune character) => Rune.IsPunctuation(character) || (character.IsAscii && Rune.IsSymbol(character));
}

/// <summary>Spaces become another character (U+2581), at which words begin; one may go before the text.</summary>
/// <param name="prepends">Null only before the first word of the text.</param>
internal sealed class Metaspace(char replacement, bool? prepends, bool split) : WordStep
{
    public override void Apply(ReadOnlySpan<char> word, bool isAtStart, WordList output)
    {
        var text = output.Scratch;
        text.Clear();
        if ((prepends ?? isAtStart) && word[0] != replacement && word[0] != ' ')
            text.Append(replacement);
        foreach (var unit in word)
            text.Append(unit == ' ' ? replacement : unit);
        var rest = text.Span;
        for (int next; split && rest.Length > 1 && (next = rest[1..].IndexOf(replacement)) >= 0; rest = rest[(next + 1)..])
            output.Add(rest[..(next + 1)]);
        output.Add(rest);
    }
}

/// <summary>GPT-2's words, and each byte as a visible character.</summary>
internal sealed class ByteLevel(bool addsPrefixSpace, bool cutsWords) : WordStep
{
    private static readonly TextPattern _words = new(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+");

    public override void Apply(ReadOnlySpan<char> word, bool isAtStart, WordList output)
    {
        if (addsPrefixSpace && word[0] != ' ')
            word = string.Concat(" ", word);
        output.Matches.Clear();
        if (cutsWords)
            _words.Find(word, output.Matches);
        var place = 0;
        foreach (var (start, end) in output.Matches)
        {
            Add(word[place..start], output);
            Add(word[start..end], output);
            place = end;
        }
        Add(word[place..], output);
    }

    private static void Add(ReadOnlySpan<char> part, WordList output)
    {
        output.Scratch.Clear();
        BytesAsText.Append(part, output.Scratch);
        output.Add(output.Scratch.Span);
    }
}

/// <summary>How matches cut a word.</summary>
internal static class WordCut
{
    public static void Cut(ReadOnlySpan<char> word, List<(int Start, int End)> matches, SplitBehavior behavior, bool invert, WordList output)
    {
        // Parts and gaps in order; of neighbours that belong together the later one only moves the end.
        var (start, end, wasMatch) = (0, 0, false);
        var place = 0;
        foreach (var match in matches)
        {
            if (place < match.Start)
                Take(word, place, match.Start, invert);
            if (match.Start < match.End)
                Take(word, match.Start, match.End, !invert);
            place = match.End;
        }
        if (place < word.Length)
            Take(word, place, word.Length, invert);
        output.Add(word[start..end]);

        void Take(ReadOnlySpan<char> word, int from, int to, bool isMatch)
        {
            var joins = behavior switch
            {
                SplitBehavior.MergedWithPrevious => isMatch && !wasMatch,
                SplitBehavior.MergedWithNext => wasMatch && !isMatch,
                SplitBehavior.Contiguous => isMatch == wasMatch,
                _ => false,
            };
            wasMatch = isMatch;
            if (behavior == SplitBehavior.Removed && isMatch)
            {
                output.Add(word[start..end]);
                (start, end) = (to, to);
                return;
            }
            if (!joins)
            {
                output.Add(word[start..end]);
                start = from;
            }
            end = to;
        }
    }
}
