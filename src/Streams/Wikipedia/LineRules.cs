using System.Buffers;

namespace Streaming.Streams.Wikipedia;

/// <summary>The recipe's rules for a line of an article: white space folded, short lines dropped.</summary>
public static class LineRules
{
    /// <summary>Characters below which the recipe drops a line.</summary>
    public const int RecipeMinimumCharacters = 20;

    // What Unicode calls white space and Python's \s takes, the blank apart.
    private static readonly SearchValues<char> OddSpaces = SearchValues.Create(
        "\t\n\v\f\r\u001C\u001D\u001E\u001F\u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000");

    /// <summary>Makes every run of white space one blank and takes it away at both ends, in place.</summary>
    /// <returns>Characters that are left.</returns>
    public static int FoldWhiteSpace(Span<char> line)
    {
        if (line.IsEmpty)
            return 0;
        var foldless = line[0] != ' ' && line[^1] != ' ' && line.IndexOf("  ") < 0 && line.IndexOfAny(OddSpaces) < 0;
        if (foldless)
            return line.Length;
        var length = 0;
        var afterSpace = true;
        foreach (var character in line)
        {
            var isSpace = character == ' ' || OddSpaces.Contains(character);
            if (!isSpace)
                line[length++] = character;
            else if (!afterSpace)
                line[length++] = ' ';
            afterSpace = isSpace;
        }
        return length > 0 && line[length - 1] == ' ' ? length - 1 : length;
    }

    /// <summary>Whether a line has at least so many characters; two surrogates are one.</summary>
    public static bool IsLongEnough(ReadOnlySpan<char> line, int minimumCharacters)
    {
        if (line.Length < minimumCharacters)
            return false;
        if (line.Length >= 2 * minimumCharacters)
            return true;
        var characters = line.Length;
        for (var index = 1; index < line.Length; index++)
        {
            if (char.IsSurrogatePair(line[index - 1], line[index]))
                characters--;
        }
        return characters >= minimumCharacters;
    }
}
