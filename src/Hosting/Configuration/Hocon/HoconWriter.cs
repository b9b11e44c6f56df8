using System.Text;
using System.Text.RegularExpressions;

namespace Streaming.Hosting.Configuration.Hocon;

/// <summary>Writes resolved values as HOCON on one line, so that reading them again gives the same values.</summary>
internal static partial class HoconWriter
{
    public static string Write(ConfigurationValue value) => value switch
    {
        ConfigurationScalar { Quoted: false } scalar when Plain().IsMatch(scalar.Text) => scalar.Text,
        ConfigurationScalar scalar => Quote(scalar.Text),
        ConfigurationList list => $"[{string.Join(", ", list.Items.Select(Write))}]",
        ConfigurationObject @object => $"{{{string.Join(", ", @object.Fields.Select(f => $"{WriteKey(f.Key)} = {Write(f.Value)}"))}}}",
        _ => throw new InvalidOperationException($"unknown value {value.GetType().Name}"),
    };

    /// <summary>Quotes text with JSON's escapes; text beyond ASCII stays readable.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder(text.Length + 2).Append('"');
        foreach (var character in text)
        {
            _ = character switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                _ when char.IsControl(character) => quoted.Append($"\\u{(int)character:x4}"),
                _ => quoted.Append(character),
            };
        }
        return quoted.Append('"').ToString();
    }

    public static string WriteKey(string key) => PlainKey().IsMatch(key) ? key : Quote(key);

    /// <summary>What needs no quotes, here and for Akka's own parser.</summary>
    [GeneratedRegex(@"^(?!.*//)[\w./-]([\w./ -]*[\w./-])?$")]
    private static partial Regex Plain();

    [GeneratedRegex(@"^[\w-]+$")]
    private static partial Regex PlainKey();
}
