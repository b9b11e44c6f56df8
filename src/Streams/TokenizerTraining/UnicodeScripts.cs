using System.Globalization;
using System.Text;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// The script of each code point (Unicode 15.0, Scripts.txt), with kana counted as Han: pieces of Japanese mix them, and no
/// piece mixes other scripts.
/// </summary>
internal static class UnicodeScripts
{
    public const byte Common = 0;
    public const byte Inherited = 1;

    private const byte Han = 2;
    private const int LongVowelSign = 0x30FC; // Common, as both kana use it

    private static readonly byte[] _scripts = Load();

    public static byte Of(Rune character) => _scripts[character.Value];

    private static byte[] Load()
    {
        var scripts = new byte[0x110000];
        byte next = Han + 1;
        foreach (var line in EmbeddedData.ReadText("scripts.txt").Split('\n'))
        {
            if (line.Length == 0 || line[0] == '#')
                continue;
            var fields = line.Split(' ');
            var script = fields[0] switch
            {
                "Inherited" => Inherited,
                "Han" or "Hiragana" or "Katakana" => Han,
                _ => next++,
            };
            foreach (var range in fields.AsSpan(1))
            {
                var ends = range.Split('-');
                var (first, last) = (ParseHex(ends[0]), ParseHex(ends[^1]));
                scripts.AsSpan(first, last - first + 1).Fill(script);
            }
        }
        scripts[LongVowelSign] = Han;
        return scripts;
    }

    private static int ParseHex(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
