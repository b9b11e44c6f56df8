using System.Globalization;
using System.Text;
using Streaming.Streams.TokenizerTraining;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>
/// Unicode's normalisation forms (UAX #15, Unicode 14.0). .NET's own need ICU, which a server may lack and which this program
/// runs without (<c>InvariantGlobalization</c>): there <c>string.Normalize</c> returns its input.
/// </summary>
internal static class UnicodeNormalization
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, Syllables = Leads * Vowels * Trails;

    private static readonly Dictionary<int, int> _classes = [];
    private static readonly Dictionary<int, int[]> _canonical = [];
    private static readonly Dictionary<int, int[]> _compatible = []; // where it is not the canonical decomposition
    private static readonly Dictionary<(int, int), int> _composites = [];
    private static readonly Dictionary<NormalizationForm, bool[]> _inert = [];

    static UnicodeNormalization()
    {
        foreach (var line in EmbeddedData.ReadText("unicode-normalization.txt").Split('\n'))
            ReadLine(line.Split(' '));
        foreach (var form in Enum.GetValues<NormalizationForm>())
            _inert[form] = FindInert(form);
    }

    /// <summary>Appends the form of a text that is valid UTF-16.</summary>
    public static void Normalize(ReadOnlySpan<char> text, NormalizationForm form, CharacterBuffer output)
    {
        var inert = _inert[form];
        List<int>? characters = null; // most texts need none
        Span<char> units = stackalloc char[2];
        for (var place = 0; place < text.Length;)
        {
            var odd = place;
            while (odd < text.Length && inert[text[odd]])
                odd++;
            if (odd == text.Length)
            {
                output.Append(text[place..]);
                return;
            }
            // The inert character before may combine with what follows.
            var from = odd > place ? odd - 1 : odd;
            var to = odd;
            while (to < text.Length && !inert[text[to]])
                to++;
            output.Append(text[place..from]);
            characters ??= [];
            characters.Clear();
            Decompose(text[from..to], form is NormalizationForm.FormKC or NormalizationForm.FormKD, characters);
            Order(characters);
            if (form is NormalizationForm.FormC or NormalizationForm.FormKC)
                Compose(characters);
            foreach (var character in characters)
                output.Append(units[..new Rune(character).EncodeToUtf16(units)]);
            place = to;
        }
    }

    private static void Decompose(ReadOnlySpan<char> text, bool compatible, List<int> output)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            var character = rune.Value;
            if (compatible && _compatible.TryGetValue(character, out var parts))
                output.AddRange(parts);
            else if (_canonical.TryGetValue(character, out parts))
                output.AddRange(parts);
            else if (character - HangulBase is >= 0 and < Syllables and var index)
            {
                output.Add(LeadBase + index / (Vowels * Trails));
                output.Add(VowelBase + index / Trails % Vowels);
                if (index % Trails > 0)
                    output.Add(TrailBase + index % Trails);
            }
            else
                output.Add(character);
        }
    }

    // Each run of marks in the order of their classes; equal ones keep their order.
    private static void Order(List<int> characters)
    {
        for (var from = 0; from < characters.Count; from++)
        {
            var to = from;
            while (to < characters.Count && ClassOf(characters[to]) > 0)
                to++;
            if (to - from > 1)
            {
                int[] marks = [.. characters[from..to].OrderBy(ClassOf)];
                for (var i = 0; i < marks.Length; i++)
                    characters[from + i] = marks[i];
            }
            from = to;
        }
    }

    private static void Compose(List<int> characters)
    {
        var (starter, written, lastClass) = (-1, 0, 0);
        for (var i = 0; i < characters.Count; i++)
        {
            var (character, itsClass) = (characters[i], ClassOf(characters[i]));
            var isBlocked = starter < 0 || (written - starter > 1 && lastClass >= itsClass);
            if (!isBlocked && Pair(characters[starter], character) is { } whole)
            {
                characters[starter] = whole;
                continue;
            }
            if (itsClass == 0)
                starter = written;
            lastClass = itsClass;
            characters[written++] = character;
        }
        characters.RemoveRange(written, characters.Count - written);
    }

    private static int? Pair(int first, int second)
    {
        if (first - LeadBase is >= 0 and < Leads and var lead && second - VowelBase is >= 0 and < Vowels and var vowel)
            return HangulBase + (lead * Vowels + vowel) * Trails;
        if (first - HangulBase is >= 0 and < Syllables and var syllable && syllable % Trails == 0 && second - TrailBase is > 0 and < Trails and var trail)
            return first + trail;
        return _composites.TryGetValue((first, second), out var whole) ? whole : null;
    }

    private static int ClassOf(int character) => _classes.GetValueOrDefault(character);

    /// <summary>
    /// UTF-16 units that stay as they are and that nothing before them changes or moves past. Surrogates are never among them:
    /// a few characters more are looked at closely.
    /// </summary>
    private static bool[] FindInert(NormalizationForm form)
    {
        var inert = new bool[1 << 16];
        var composes = form is NormalizationForm.FormC or NormalizationForm.FormKC;
        var seconds = _composites.Keys.Select(pair => pair.Item2).ToHashSet();
        var characters = new List<int>();
        for (var unit = 0; unit < inert.Length; unit++)
        {
            if (char.IsSurrogate((char)unit) || ClassOf(unit) != 0)
                continue;
            if (composes && (seconds.Contains(unit) || unit - VowelBase is >= 0 and < Vowels || unit - TrailBase is > 0 and < Trails))
                continue;
            characters.Clear();
            Decompose([(char)unit], form is NormalizationForm.FormKC or NormalizationForm.FormKD, characters);
            if (composes)
                Compose(characters);
            inert[unit] = characters.Count == 1 && characters[0] == unit;
        }
        return inert;
    }

    private static void ReadLine(string[] fields)
    {
        switch (fields[0])
        {
            case "C":
                var ends = fields[1].Split("..");
                for (var character = Hexadecimal(ends[0]); character <= Hexadecimal(ends[1]); character++)
                    _classes[character] = int.Parse(fields[2], CultureInfo.InvariantCulture);
                break;
            case "D":
                _canonical[Hexadecimal(fields[1])] = [.. fields.Skip(2).Select(Hexadecimal)];
                break;
            case "K":
                _compatible[Hexadecimal(fields[1])] = [.. fields.Skip(2).Select(Hexadecimal)];
                break;
            case "P":
                _composites[(Hexadecimal(fields[1]), Hexadecimal(fields[2]))] = Hexadecimal(fields[3]);
                break;
        }
    }

    private static int Hexadecimal(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
