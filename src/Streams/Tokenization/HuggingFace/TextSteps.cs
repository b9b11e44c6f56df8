using System.Globalization;
using System.Text;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>A step of a normalizer of the tokenizers library: rewrites a text that is valid UTF-16. Immutable.</summary>
internal abstract class TextStep
{
    /// <summary>Appends what becomes of a text to an empty output.</summary>
    public abstract void Apply(ReadOnlySpan<char> text, CharacterBuffer output);
}

/// <summary>Puts a text before one that is not empty.</summary>
internal sealed class PrependText(string prefix) : TextStep
{
    public override void Apply(ReadOnlySpan<char> text, CharacterBuffer output)
    {
        if (!text.IsEmpty)
            output.Append(prefix);
        output.Append(text);
    }
}

/// <summary>Puts a text in place of each match.</summary>
internal sealed class ReplaceText(TextPattern pattern, string content) : TextStep
{
    public override void Apply(ReadOnlySpan<char> text, CharacterBuffer output)
    {
        if (pattern.Literal is { } literal)
        {
            ReplaceLiteral(text, literal, output);
            return;
        }
        var matches = new List<(int Start, int End)>();
        pattern.Find(text, matches);
        var place = 0;
        foreach (var (start, end) in matches)
        {
            output.Append(text[place..start]);
            output.Append(content);
            place = end;
        }
        output.Append(text[place..]);
    }

    private void ReplaceLiteral(ReadOnlySpan<char> text, string literal, CharacterBuffer output)
    {
        for (int at; literal.Length > 0 && (at = text.IndexOf(literal)) >= 0; text = text[(at + literal.Length)..])
        {
            output.Append(text[..at]);
            output.Append(content);
        }
        output.Append(text);
    }
}

/// <summary>One of Unicode's normalisation forms.</summary>
internal sealed class UnicodeForm(NormalizationForm form) : TextStep
{
    public override void Apply(ReadOnlySpan<char> text, CharacterBuffer output) => UnicodeNormalization.Normalize(text, form, output);
}

/// <summary>Lower case, a character at a time, as Rust's <c>char::to_lowercase</c> does it.</summary>
internal sealed class LowerCase : TextStep
{
    public override void Apply(ReadOnlySpan<char> text, CharacterBuffer output)
    {
        Span<char> units = stackalloc char[2];
        foreach (var character in text.EnumerateRunes())
        {
            if (character.Value == 0x130) // the one letter whose lower case is two characters
                output.Append("i\u0307");
            else
                output.Append(units[..Rune.ToLowerInvariant(character).EncodeToUtf16(units)]);
        }
    }
}

/// <summary>Drops characters of a category: the marks of accents after NFD.</summary>
internal sealed class StripAccents : TextStep
{
    public override void Apply(ReadOnlySpan<char> text, CharacterBuffer output)
    {
        Span<char> units = stackalloc char[2];
        foreach (var character in text.EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(character) != UnicodeCategory.NonSpacingMark)
                output.Append(units[..character.EncodeToUtf16(units)]);
        }
    }
}

/// <summary>Drops white space at the ends.</summary>
internal sealed class StripSpace(bool left, bool right) : TextStep
{
    public override void Apply(ReadOnlySpan<char> text, CharacterBuffer output)
    {
        text = left ? text.TrimStart() : text;
        output.Append(right ? text.TrimEnd() : text);
    }
}

/// <summary>The rules that <c>spm_train</c> compiles, at each place the longest.</summary>
internal sealed class PrecompiledRules(byte[] compiled) : TextStep
{
    private readonly SentencePieceNormalizer _rules = new(
        new NormalizerSpec { CompiledRules = compiled, AddDummyPrefix = false, RemoveExtraWhitespaces = false, EscapeWhitespaces = false },
        spaceAsSuffix: false, userDefined: null);

    public override void Apply(ReadOnlySpan<char> text, CharacterBuffer output) => output.Append(_rules.Normalize(text, new CharacterBuffer()));
}

/// <summary>Each byte of the UTF-8 as a visible character.</summary>
internal sealed class BytesAsText : TextStep
{
    public override void Apply(ReadOnlySpan<char> text, CharacterBuffer output) => Append(text, output);

    public static void Append(ReadOnlySpan<char> text, CharacterBuffer output)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var character in text.EnumerateRunes())
        {
            foreach (var value in utf8[..character.EncodeToUtf8(utf8)])
                output.Append(ByteAlphabet.OfBytes[value]);
        }
    }
}

/// <summary>Steps one after the other. Scratch is reused; not thread-safe.</summary>
internal sealed class TextRewriter(IReadOnlyList<TextStep> steps)
{
    private CharacterBuffer _one = new(), _other = new();

    /// <summary>What becomes of a text, valid until the next call.</summary>
    public ReadOnlySpan<char> Apply(ReadOnlySpan<char> text)
    {
        foreach (var step in steps)
        {
            _other.Clear();
            step.Apply(text, _other);
            (_one, _other) = (_other, _one);
            text = _one.Span;
        }
        return text;
    }
}
