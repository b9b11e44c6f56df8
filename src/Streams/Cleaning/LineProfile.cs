using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Streaming.Streams.Cleaning;

/// <summary>How many characters of each class a text has. Adds up: a document's profile is the sum of its lines'.</summary>
internal struct LineProfile
{
    public int Hiragana;
    public int Katakana;
    public int Kanji;
    public int Latin;
    public int Digits;
    public int Punctuation;
    public int Symbols;
    public int OtherLetters;

    /// <summary>Characters that are seen.</summary>
    public readonly int Visible => Hiragana + Katakana + Kanji + Latin + Digits + Punctuation + Symbols + OtherLetters;

    public readonly int Kana => Hiragana + Katakana;

    public readonly int Japanese => Hiragana + Katakana + Kanji;

    /// <summary>Letters of any script and digits: what carries the words.</summary>
    public readonly int Words => Japanese + Latin + OtherLetters + Digits;

    /// <summary>What a character of each class adds to eight counts of one byte each; the ninth class is what is left of the length.</summary>
    private static ReadOnlySpan<ulong> Addends => [1, 1UL << 8, 1UL << 16, 1UL << 24, 1UL << 32, 1UL << 40, 1UL << 48, 1UL << 56, 0];

    /// <summary>Counts the characters of a line, one table look-up each.</summary>
    public static LineProfile Of(ReadOnlySpan<char> text)
    {
        // A byte holds 255: so many characters are counted before the eight counts are moved on.
        const int stretch = 255;
        ref var classes = ref MemoryMarshal.GetReference(CharacterClasses.Table);
        ref var addends = ref MemoryMarshal.GetReference(Addends);
        var profile = default(LineProfile);
        var blank = 0;
        for (var left = text; !left.IsEmpty;)
        {
            var part = left[..Math.Min(left.Length, stretch)];
            left = left[part.Length..];
            var counts = 0UL;
            foreach (var unit in part)
                counts += Unsafe.Add(ref addends, (nint)Unsafe.Add(ref classes, unit));
            profile.Hiragana += (byte)counts;
            profile.Katakana += (byte)(counts >> 8);
            profile.Kanji += (byte)(counts >> 16);
            profile.Latin += (byte)(counts >> 24);
            profile.Digits += (byte)(counts >> 32);
            profile.Punctuation += (byte)(counts >> 40);
            profile.Symbols += (byte)(counts >> 48);
            blank += (byte)(counts >> 56);
        }
        profile.OtherLetters = text.Length - blank - profile.Visible;
        return profile;
    }

    public void Add(in LineProfile other)
    {
        Hiragana += other.Hiragana;
        Katakana += other.Katakana;
        Kanji += other.Kanji;
        Latin += other.Latin;
        Digits += other.Digits;
        Punctuation += other.Punctuation;
        Symbols += other.Symbols;
        OtherLetters += other.OtherLetters;
    }
}
