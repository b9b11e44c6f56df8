using System.Text;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// The characters that get a piece of their own: the most frequent ones that together cover the wanted share of the text.
/// Codes run from 1 in the order of falling frequency; 0 is any other character. Immutable.
/// </summary>
internal sealed class Alphabet
{
    /// <summary>Code of a character that gets no piece; also what separates runs of text.</summary>
    public const ushort None = 0;

    private readonly ushort[] _codes;
    private readonly Rune[] _characters;

    /// <param name="counts">Of each code point, up to the highest that is ever asked for.</param>
    /// <param name="coverage">Share of the characters that are to be covered.</param>
    public Alphabet(ReadOnlySpan<long> counts, double coverage)
    {
        var found = new List<(long Count, int CodePoint)>();
        for (var codePoint = 0; codePoint < counts.Length; codePoint++)
        {
            Total += counts[codePoint];
            if (counts[codePoint] > 0 && codePoint is not ('\t' or '\0'))
                found.Add((counts[codePoint], codePoint));
        }
        found.Sort((one, other) => one.Count != other.Count ? other.Count.CompareTo(one.Count) : one.CodePoint.CompareTo(other.CodePoint));
        var covered = 0L;
        var kept = 0;
        // float32, as spm_train compares: 0.9995 must stop at the same character
        while (kept < found.Count && (float)((double)covered / Total) < (float)coverage)
            covered += found[kept++].Count;
        Covered = covered;
        Characters = found.Count;
        if (kept >= ushort.MaxValue)
            throw new TokenizerTrainingException(
                $"the text holds {kept} different characters, of which at most {ushort.MaxValue - 1} can have a piece; lower the character coverage.");
        _codes = new ushort[counts.Length];
        _characters = new Rune[kept + 1];
        Counts = new long[kept + 1];
        for (var code = 1; code <= kept; code++)
        {
            var (count, codePoint) = found[code - 1];
            _codes[codePoint] = (ushort)code;
            _characters[code] = new Rune(codePoint);
            Counts[code] = count;
        }
    }

    /// <summary>Characters with a code; codes are 1 to this.</summary>
    public int Count => _characters.Length - 1;

    /// <summary>How often each code is in the text.</summary>
    public long[] Counts { get; }

    /// <summary>Characters of the text.</summary>
    public long Total { get; }

    /// <summary>Characters of the text that have a code.</summary>
    public long Covered { get; }

    /// <summary>Different characters of the text.</summary>
    public int Characters { get; }

    public ushort CodeOf(Rune character) => _codes[character.Value];

    public Rune this[int code] => _characters[code];

    /// <summary>The text of codes.</summary>
    public string ToText(ReadOnlySpan<ushort> codes)
    {
        var text = new StringBuilder(codes.Length);
        foreach (var code in codes)
            text.Append(_characters[code].ToString());
        return text.ToString();
    }
}
